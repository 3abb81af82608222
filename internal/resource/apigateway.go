package resource

import (
	"strings"

	"github.com/foregate/foregate/internal/awsapi/apigateway"
	"github.com/foregate/foregate/internal/store"
)

// The kinds of API Gateway's REST APIs, stored under their region. Parts of an API have ids of the form API/PART, so that
// each keeps the Source of the template resource that it came from.
var (
	RestAPIs             = store.NewKind[RestPart[apigateway.RestApi]]("apigateway", "restapi")
	RestResources        = store.NewKind[RestPart[apigateway.Resource]]("apigateway", "resource")
	RestMethods          = store.NewKind[RestPart[apigateway.Method]]("apigateway", "method") // API/RESOURCE/METHOD
	RestAuthorizers      = store.NewKind[RestPart[apigateway.Authorizer]]("apigateway", "authorizer")
	RestValidators       = store.NewKind[RestPart[apigateway.RequestValidator]]("apigateway", "validator")
	RestModels           = store.NewKind[RestPart[apigateway.Model]]("apigateway", "model")                      // API/NAME
	RestGatewayResponses = store.NewKind[RestPart[apigateway.GatewayResponse]]("apigateway", "gateway-response") // API/TYPE
	RestDeployments      = store.NewKind[RestDeployment]("apigateway", "deployment")
	RestStages           = store.NewKind[RestPart[apigateway.Stage]]("apigateway", "stage") // API/NAME
	RestDocumentation    = store.NewKind[RestPart[apigateway.DocumentationPart]]("apigateway", "documentation-part")
	RestDocumentVersions = store.NewKind[RestPart[apigateway.DocumentationVersion]]("apigateway", "documentation-version")
	GatewayDomains       = store.NewKind[GatewayDomain]("apigateway", "domain")
	GatewayMappings      = store.NewKind[GatewayMapping]("apigateway", "base-path-mapping") // DOMAIN/BASEPATH
	GatewayKeys          = store.NewKind[apigateway.ApiKey]("apigateway", "api-key")
	GatewayUsagePlans    = store.NewKind[apigateway.UsagePlan]("apigateway", "usage-plan")
	GatewayUsagePlanKeys = store.NewKind[GatewayPlanKey]("apigateway", "usage-plan-key") // PLAN/KEY
	GatewayAccounts      = store.NewKind[apigateway.Account]("apigateway", "account")    // one, called GatewayAccountID
	GatewayCertificates  = store.NewKind[apigateway.ClientCertificate]("apigateway", "client-certificate")
	GatewayVPCLinks      = store.NewKind[apigateway.VpcLink]("apigateway", "vpc-link")
)

// GatewayAccountID is the id of the one record of GatewayAccounts in a region.
const GatewayAccountID = "account"

func apiGatewayDecoders() []store.Decoder {
	return []store.Decoder{
		RestAPIs.Decoder(), RestResources.Decoder(), RestMethods.Decoder(), RestAuthorizers.Decoder(), RestValidators.Decoder(),
		RestModels.Decoder(), RestGatewayResponses.Decoder(), RestDeployments.Decoder(), RestStages.Decoder(),
		RestDocumentation.Decoder(), RestDocumentVersions.Decoder(), GatewayDomains.Decoder(), GatewayMappings.Decoder(),
		GatewayKeys.Decoder(), GatewayUsagePlans.Decoder(), GatewayUsagePlanKeys.Decoder(), GatewayAccounts.Decoder(),
		GatewayCertificates.Decoder(), GatewayVPCLinks.Decoder(),
	}
}

// RestPart is a REST API or a part of one.
type RestPart[T any] struct {
	// API is the id of the API.
	API string
	// Place is where the part stands within the properties of its template resource, as Body.paths["/pets"].get; "" for a
	// resource that is the part.
	Place string
	Value *T
}

// PartID is the id of a part of an API.
func PartID(api string, part ...string) string { return api + "/" + strings.Join(part, "/") }

// RestDeployment is a deployment: what the API was when it was made. It is stored under API/ID and never changes, but for
// its description.
type RestDeployment struct {
	API        string
	Value      *apigateway.Deployment
	Definition Definition
}

// Definition is all of an API that a deployment keeps (facts: apigateway 4: policies take effect after a redeployment).
type Definition struct {
	API              Defined[apigateway.RestApi]
	Resources        []Defined[apigateway.Resource]
	Methods          []Defined[apigateway.Method]
	Authorizers      []Defined[apigateway.Authorizer]
	Validators       []Defined[apigateway.RequestValidator]
	Models           []Defined[apigateway.Model]
	GatewayResponses []Defined[apigateway.GatewayResponse]
}

// Defined is a part of a Definition with the place that it came from.
type Defined[T any] struct {
	// ID is that of the part's record when the definition was taken.
	ID     string
	Source store.Source
	Place  string
	Value  *T
}

// DefinitionOf returns what an API is now; false when there is no such API.
func DefinitionOf(r store.Reader, region, api string) (Definition, bool) {
	rec := RestAPIs.Record(r, region, api)
	if rec == nil {
		return Definition{}, false
	}
	v := rec.Value.(*RestPart[apigateway.RestApi])
	return Definition{
		API:              Defined[apigateway.RestApi]{api, rec.Source, v.Place, v.Value},
		Resources:        defined(r, RestResources, region, api),
		Methods:          defined(r, RestMethods, region, api),
		Authorizers:      defined(r, RestAuthorizers, region, api),
		Validators:       defined(r, RestValidators, region, api),
		Models:           defined(r, RestModels, region, api),
		GatewayResponses: defined(r, RestGatewayResponses, region, api),
	}, true
}

func defined[T any](r store.Reader, kind store.Kind[RestPart[T]], region, api string) []Defined[T] {
	var out []Defined[T]
	for rec, p := range kind.All(r, region) {
		if p.API == api {
			out = append(out, Defined[T]{rec.Key.ID, rec.Source, p.Place, p.Value})
		}
	}
	return out
}

// GatewayDomain is a custom domain name, stored under the name.
type GatewayDomain struct {
	Value *apigateway.DomainName
	// V2 is set for a domain that was made over the API of HTTP APIs.
	V2 bool
}

// GatewayMapping is a mapping of a custom domain, stored under DOMAIN/BASEPATH with the base path "(none)" for the root.
type GatewayMapping struct {
	Domain string
	Value  *apigateway.BasePathMapping
	// ID is the id of an API mapping; "" for a base path mapping.
	ID string
}

// GatewayPlanKey joins a key to a usage plan.
type GatewayPlanKey struct{ PlanID, KeyID string }
