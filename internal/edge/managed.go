package edge

// cloudFrontHeaders2022 are the headers of Managed-AllViewerAndCloudFrontHeaders-2022-06 (facts: cloudfront-policies 2).
func cloudFrontHeaders2022() []string {
	return []string{
		"CloudFront-Forwarded-Proto", "CloudFront-Is-Android-Viewer", "CloudFront-Is-Desktop-Viewer",
		"CloudFront-Is-IOS-Viewer", "CloudFront-Is-Mobile-Viewer", "CloudFront-Is-SmartTV-Viewer",
		"CloudFront-Is-Tablet-Viewer", "CloudFront-Viewer-Address", "CloudFront-Viewer-ASN", "CloudFront-Viewer-City",
		"CloudFront-Viewer-Country", "CloudFront-Viewer-Country-Name", "CloudFront-Viewer-Country-Region",
		"CloudFront-Viewer-Country-Region-Name", "CloudFront-Viewer-Http-Version", "CloudFront-Viewer-Latitude",
		"CloudFront-Viewer-Longitude", "CloudFront-Viewer-Metro-Code", "CloudFront-Viewer-Postal-Code",
		"CloudFront-Viewer-Time-Zone", "CloudFront-Viewer-TLS",
	}
}

const year = 31536000

// ManagedCachePolicies returns AWS's cache policies (facts: cloudfront-policies 1). The caller owns the result.
func ManagedCachePolicies() []CachePolicy {
	none, all := Selection{Mode: None}, Selection{Mode: All}
	names := func(n ...string) Selection { return Selection{Whitelist, n} }
	control := names("host", "origin", "x-http-method", "x-http-method-override", "x-method-override")
	return []CachePolicy{
		{"658327ea-f89d-4fab-a63d-7e88639e58f6", "Managed-CachingOptimized",
			"Policy with caching enabled. Supports Gzip and Brotli compression.", 1, 86400, year, true, true, none, none, none},
		{"b2884449-e4de-46a7-ac36-70bc7f1ddd6d", "Managed-CachingOptimizedForUncompressedObjects",
			"Default policy when compression is disabled", 1, 86400, year, false, false, none, none, none},
		{"4135ea2d-6df8-44a3-9df3-4b5a84be39ad", "Managed-CachingDisabled",
			"Policy with caching disabled", 0, 0, 0, false, false, none, none, none},
		{"08627262-05a9-4f76-9ded-b50ca2e3a84f", "Managed-Elemental-MediaPackage",
			"Policy for Elemental MediaPackage Origin", 0, 86400, year, true, false, names("origin"), none,
			names("aws.manifestfilter", "start", "end", "m")},
		{"2e54312d-136d-493c-8eb9-b001f22f67d2", "Managed-Amplify",
			"Policy for Amplify Origin", 2, 2, 600, true, true, names("Authorization", "CloudFront-Viewer-Country", "Host"), all, all},
		{"83da9c7e-98b4-4e11-a168-04f0df8e2c65", "UseOriginCacheControlHeaders",
			"Policy for origins that return Cache-Control headers. Query strings are not included in the cache key.",
			0, 0, year, true, true, control, all, none},
		{"4cc15a8a-d715-48a4-82b8-cc0b614638fe", "UseOriginCacheControlHeaders-QueryStrings",
			"Policy for origins that return Cache-Control headers and serve different content based on values present in the query string.",
			0, 0, year, true, true, control, all, all},
		{"4d1d2f1d-3a71-49ad-9e08-7ea5d843a556", "Managed-Amplify-Default", "Default Amplify cache policy",
			0, 0, year, true, true, names("Accept", "Authorization", "CloudFront-Viewer-Country", "Host"), all, all},
		{"a6bad946-36c3-4c33-aa98-362c74a7fb13", "Managed-Amplify-DefaultNoCookies", "Default Amplify cache policy without cookies",
			0, 0, year, true, true, names("Accept", "Authorization", "CloudFront-Viewer-Country", "Host"), none, all},
		{"1c6db51a-a33f-469a-8245-dae26771f530", "Managed-Amplify-ImageOptimization", "Amplify cache policy for image optimization",
			0, 0, year, true, true, names("Accept", "Authorization", "Host"), none, all},
		{"7e5fad67-ee98-4ad0-b05a-394999eefc1a", "Managed-Amplify-StaticContent", "Amplify cache policy for static content",
			0, 0, year, true, true, names("Authorization", "Host"), none, none},
	}
}

// IDs of managed origin request policies that have a rule of their own for S3 origins (facts: cloudfront-policies 2).
const (
	allViewerID            = "216adef6-5c7f-47e4-b989-5492eafa07d3"
	allViewerExceptHostID  = "b689b0a8-53d0-40ab-baf2-68738e2966ac"
	allViewerCloudFrontID  = "33f36d7e-f396-46d9-90e0-52428a34d9dc"
	mediaTailorManifestsID = "775133bc-15f2-49f9-abea-afb2e0bf67d2"
)

// ManagedOriginRequestPolicies returns AWS's origin request policies (facts: cloudfront-policies 2). Comments that the facts
// do not have are left empty. The caller owns the result.
func ManagedOriginRequestPolicies() []OriginRequestPolicy {
	none, all := Selection{Mode: None}, Selection{Mode: All}
	names := func(n ...string) Selection { return Selection{Whitelist, n} }
	return []OriginRequestPolicy{
		{allViewerID, "Managed-AllViewer", "Policy to forward all parameters in viewer requests",
			Selection{Mode: AllViewer}, all, all},
		{allViewerExceptHostID, "Managed-AllViewerExceptHostHeader",
			"Policy to forward all parameters in viewer requests except for the Host header",
			Selection{AllExcept, []string{"host"}}, all, all},
		{allViewerCloudFrontID, "Managed-AllViewerAndCloudFrontHeaders-2022-06", "",
			Selection{AllViewerAndWhitelistCloudFront, cloudFrontHeaders2022()}, all, all},
		{"59781a5b-3903-41f3-afcb-af62929ccde1", "Managed-CORS-CustomOrigin", "", names("Origin"), none, none},
		{"88a5eaf4-2fd4-4709-b370-b4c650ea3fcf", "Managed-CORS-S3Origin", "",
			names("Origin", "Access-Control-Request-Headers", "Access-Control-Request-Method"), none, none},
		{mediaTailorManifestsID, "Managed-Elemental-MediaTailor-PersonalizedManifests", "",
			names("Origin", "Access-Control-Request-Headers", "Access-Control-Request-Method", "User-Agent", "X-Forwarded-For"), none, all},
		{"bf0718e1-ba1e-49d1-88b1-f726733018ae", "Managed-HostHeaderOnly", "", names("Host"), none, none},
		{"acba4595-bd28-49b8-b9fe-13317c0390fa", "Managed-UserAgentRefererHeaders", "", names("User-Agent", "Referer"), none, none},
	}
}

// ManagedResponseHeadersPolicies returns AWS's response headers policies (facts: cloudfront-policies 3). The caller owns
// the result.
func ManagedResponseHeadersPolicies() []ResponseHeadersPolicy {
	simple := func() *CORS {
		return &CORS{AllowOrigins: []string{"*"}, AllowHeaders: []string{"*"}, AllowMethods: []string{"GET", "HEAD"}}
	}
	preflight := func() *CORS {
		return &CORS{AllowOrigins: []string{"*"}, AllowHeaders: []string{"*"}, ExposeHeaders: []string{"*"},
			AllowMethods: []string{"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}}
	}
	security := func() *SecurityHeaders {
		return &SecurityHeaders{
			ReferrerPolicy:          &OverridableValue{Value: "strict-origin-when-cross-origin"},
			StrictTransportSecurity: &StrictTransportSecurity{MaxAge: year},
			ContentTypeOptions:      &OverridableValue{Override: true},
			FrameOptions:            &OverridableValue{Value: "SAMEORIGIN"},
			XSSProtection:           &XSSProtection{Protection: true, ModeBlock: true},
		}
	}
	return []ResponseHeadersPolicy{
		{ID: "60669652-455b-4ae9-85a4-c4c02393f86c", Name: "Managed-SimpleCORS",
			Comment: "Allows all origins for simple CORS requests", CORS: simple()},
		{ID: "5cc3b908-e619-4b99-88e5-2cf7f45965bd", Name: "Managed-CORS-With-Preflight",
			Comment: "Allows all origins for CORS requests, including preflight requests", CORS: preflight()},
		{ID: "e61eb60c-9c35-4d20-a928-2b84e02af89c", Name: "Managed-CORS-and-SecurityHeadersPolicy",
			Comment: "Allows all origins for simple CORS requests and adds security headers", CORS: simple(), Security: security()},
		{ID: "eaab4381-ed33-4a86-88ca-d9558dc6cd63", Name: "Managed-CORS-with-preflight-and-SecurityHeadersPolicy",
			Comment: "Allows all origins for CORS requests, including preflight requests, and adds security headers",
			CORS:    preflight(), Security: security()},
		{ID: "67f7725c-6f97-4210-82d7-5512b31e9d03", Name: "Managed-SecurityHeadersPolicy",
			Comment: "Adds a set of security headers to every response", Security: security()},
	}
}
