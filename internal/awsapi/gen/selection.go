package main

import "strings"

// selection says what is generated of a service.
type selection struct {
	// name is the package, dir the folder of the model, title the name for people.
	name, dir, title string
	// only names the operations that get types; empty means all. Others are recognised by the router, no more.
	only []string
	// except takes operations away from all.
	except []string
	// roots names the root elements of XML answers that differ from the shape's name (the models leave them out).
	roots map[string]string
}

func words(s string) []string { return strings.Fields(s) }

// services lists what is generated. Restricted services keep what deployments of CloudFormation resources and the usual
// inspection commands call; the rest would cost compile time and size for nothing.
var services = []selection{
	{name: "cloudfront", dir: "cloudfront", title: "Amazon CloudFront"},
	{name: "cloudfrontkeyvaluestore", dir: "cloudfront-keyvaluestore", title: "Amazon CloudFront KeyValueStore"},
	{name: "apigateway", dir: "apigateway", title: "Amazon API Gateway"},
	{name: "lambda", dir: "lambda", title: "AWS Lambda", only: lambdaOperations},
	{name: "iam", dir: "iam", title: "AWS Identity and Access Management", only: iamOperations},
	{name: "sts", dir: "sts", title: "AWS Security Token Service"},
	{name: "acm", dir: "acm", title: "AWS Certificate Manager", only: acmOperations},
	{name: "route53", dir: "route53", title: "Amazon Route 53", only: route53Operations},
	{name: "s3", dir: "s3", title: "Amazon S3", only: s3Operations, roots: s3Roots},
	{name: "logs", dir: "logs", title: "Amazon CloudWatch Logs", only: logsOperations},
	{name: "cloudformation", dir: "cloudformation", title: "AWS CloudFormation", only: cloudformationOperations},
	{name: "ssm", dir: "ssm", title: "AWS Systems Manager", only: ssmOperations},
}

var lambdaOperations = words(`
	AddLayerVersionPermission AddPermission CreateAlias CreateCodeSigningConfig CreateEventSourceMapping CreateFunction
	CreateFunctionUrlConfig DeleteAlias DeleteCodeSigningConfig DeleteEventSourceMapping DeleteFunction
	DeleteFunctionCodeSigningConfig DeleteFunctionConcurrency DeleteFunctionEventInvokeConfig DeleteFunctionUrlConfig
	DeleteLayerVersion DeleteProvisionedConcurrencyConfig GetAccountSettings GetAlias GetCodeSigningConfig
	GetEventSourceMapping GetFunction GetFunctionCodeSigningConfig GetFunctionConcurrency GetFunctionConfiguration
	GetFunctionEventInvokeConfig GetFunctionRecursionConfig GetFunctionUrlConfig GetLayerVersion GetLayerVersionByArn
	GetLayerVersionPolicy GetPolicy GetProvisionedConcurrencyConfig GetRuntimeManagementConfig Invoke InvokeAsync
	ListAliases ListCodeSigningConfigs ListEventSourceMappings ListFunctionEventInvokeConfigs ListFunctionUrlConfigs
	ListFunctions ListFunctionsByCodeSigningConfig ListLayerVersions ListLayers ListProvisionedConcurrencyConfigs ListTags
	ListVersionsByFunction PublishLayerVersion PublishVersion PutFunctionCodeSigningConfig PutFunctionConcurrency
	PutFunctionEventInvokeConfig PutFunctionRecursionConfig PutProvisionedConcurrencyConfig PutRuntimeManagementConfig
	RemoveLayerVersionPermission RemovePermission TagResource UntagResource UpdateAlias UpdateCodeSigningConfig
	UpdateEventSourceMapping UpdateFunctionCode UpdateFunctionConfiguration UpdateFunctionEventInvokeConfig
	UpdateFunctionUrlConfig`)

var iamOperations = words(`
	AddRoleToInstanceProfile AddUserToGroup AttachGroupPolicy AttachRolePolicy AttachUserPolicy CreateAccessKey
	CreateAccountAlias CreateGroup CreateInstanceProfile CreateLoginProfile CreateOpenIDConnectProvider CreatePolicy
	CreatePolicyVersion CreateRole CreateServiceLinkedRole CreateUser DeleteAccessKey DeleteAccountAlias DeleteGroup
	DeleteGroupPolicy DeleteInstanceProfile DeleteLoginProfile DeleteOpenIDConnectProvider DeletePolicy DeletePolicyVersion
	DeleteRole DeleteRolePermissionsBoundary DeleteRolePolicy DeleteServerCertificate DeleteServiceLinkedRole DeleteUser
	DeleteUserPermissionsBoundary DeleteUserPolicy DetachGroupPolicy DetachRolePolicy DetachUserPolicy GetAccessKeyLastUsed
	GetAccountAuthorizationDetails GetAccountPasswordPolicy GetAccountSummary GetContextKeysForCustomPolicy
	GetContextKeysForPrincipalPolicy GetGroup GetGroupPolicy GetInstanceProfile GetLoginProfile GetOpenIDConnectProvider
	GetPolicy GetPolicyVersion GetRole GetRolePolicy GetServerCertificate GetServiceLinkedRoleDeletionStatus GetUser
	GetUserPolicy ListAccessKeys ListAccountAliases ListAttachedGroupPolicies ListAttachedRolePolicies
	ListAttachedUserPolicies ListEntitiesForPolicy ListGroupPolicies ListGroups ListGroupsForUser ListInstanceProfileTags
	ListInstanceProfiles ListInstanceProfilesForRole ListMFADevices ListOpenIDConnectProviders ListPolicies ListPolicyTags
	ListPolicyVersions ListRolePolicies ListRoleTags ListRoles ListSAMLProviders ListServerCertificateTags
	ListServerCertificates ListSigningCertificates ListSSHPublicKeys ListServiceSpecificCredentials ListUserPolicies
	ListUserTags ListUsers ListVirtualMFADevices PutGroupPolicy PutRolePermissionsBoundary PutRolePolicy
	PutUserPermissionsBoundary PutUserPolicy RemoveRoleFromInstanceProfile RemoveUserFromGroup SetDefaultPolicyVersion
	SimulateCustomPolicy SimulatePrincipalPolicy TagInstanceProfile TagPolicy TagRole TagServerCertificate TagUser
	UntagInstanceProfile UntagPolicy UntagRole UntagServerCertificate UntagUser UpdateAccessKey UpdateAssumeRolePolicy
	UpdateGroup UpdateLoginProfile UpdateRole UpdateRoleDescription UpdateServerCertificate UpdateUser
	UploadServerCertificate`)

var acmOperations = words(`
	AddTagsToCertificate DeleteCertificate DescribeCertificate ExportCertificate GetAccountConfiguration GetCertificate
	ImportCertificate ListCertificates ListTagsForCertificate ListTagsForResource PutAccountConfiguration
	RemoveTagsFromCertificate RenewCertificate RequestCertificate ResendValidationEmail RevokeCertificate
	SearchCertificates TagResource UntagResource UpdateCertificateOptions`)

var route53Operations = words(`
	AssociateVPCWithHostedZone ChangeResourceRecordSets ChangeTagsForResource CreateHealthCheck CreateHostedZone
	CreateQueryLoggingConfig CreateReusableDelegationSet DeleteHealthCheck DeleteHostedZone DeleteQueryLoggingConfig
	DeleteReusableDelegationSet DisassociateVPCFromHostedZone GetAccountLimit GetChange GetCheckerIpRanges GetDNSSEC
	GetGeoLocation GetHealthCheck GetHealthCheckCount GetHealthCheckStatus GetHostedZone GetHostedZoneCount
	GetHostedZoneLimit GetQueryLoggingConfig GetReusableDelegationSet ListGeoLocations ListHealthChecks ListHostedZones
	ListHostedZonesByName ListHostedZonesByVPC ListQueryLoggingConfigs ListResourceRecordSets ListReusableDelegationSets
	ListTagsForResource ListTagsForResources TestDNSAnswer UpdateHealthCheck UpdateHostedZoneComment`)

var s3Operations = words(`
	AbortMultipartUpload CompleteMultipartUpload CopyObject CreateBucket CreateMultipartUpload DeleteBucket
	DeleteBucketCors DeleteBucketEncryption DeleteBucketLifecycle DeleteBucketOwnershipControls DeleteBucketPolicy
	DeleteBucketReplication DeleteBucketTagging DeleteBucketWebsite DeleteObject DeleteObjectTagging DeleteObjects
	DeletePublicAccessBlock GetBucketAccelerateConfiguration GetBucketAcl GetBucketCors GetBucketEncryption
	GetBucketLifecycleConfiguration GetBucketLocation GetBucketLogging GetBucketNotificationConfiguration
	GetBucketOwnershipControls GetBucketPolicy GetBucketPolicyStatus GetBucketReplication GetBucketRequestPayment
	GetBucketTagging GetBucketVersioning GetBucketWebsite GetObject GetObjectAcl GetObjectAttributes GetObjectLegalHold
	GetObjectLockConfiguration GetObjectRetention GetObjectTagging GetPublicAccessBlock HeadBucket HeadObject ListBuckets
	ListMultipartUploads ListObjectVersions ListObjects ListObjectsV2 ListParts PutBucketAccelerateConfiguration
	PutBucketAcl PutBucketCors PutBucketEncryption PutBucketLifecycleConfiguration PutBucketLogging
	PutBucketNotificationConfiguration PutBucketOwnershipControls PutBucketPolicy PutBucketReplication
	PutBucketRequestPayment PutBucketTagging PutBucketVersioning PutBucketWebsite PutObject PutObjectAcl
	PutObjectLegalHold PutObjectLockConfiguration PutObjectRetention PutObjectTagging PutPublicAccessBlock RenameObject
	UploadPart UploadPartCopy`)

// s3Roots: the root elements as the operations' pages in the S3 API reference show them (Response Syntax).
var s3Roots = map[string]string{
	"CompleteMultipartUploadOutput":          "CompleteMultipartUploadResult",
	"CreateMultipartUploadOutput":            "InitiateMultipartUploadResult",
	"DeleteObjectsOutput":                    "DeleteResult",
	"GetBucketAccelerateConfigurationOutput": "AccelerateConfiguration",
	"GetBucketAclOutput":                     "AccessControlPolicy",
	"GetBucketCorsOutput":                    "CORSConfiguration",
	"GetBucketLifecycleConfigurationOutput":  "LifecycleConfiguration",
	"GetBucketLocationOutput":                "LocationConstraint",
	"GetBucketLoggingOutput":                 "BucketLoggingStatus",
	"NotificationConfiguration":              "NotificationConfiguration",
	"GetBucketRequestPaymentOutput":          "RequestPaymentConfiguration",
	"GetBucketTaggingOutput":                 "Tagging",
	"GetBucketVersioningOutput":              "VersioningConfiguration",
	"GetBucketWebsiteOutput":                 "WebsiteConfiguration",
	"GetObjectAclOutput":                     "AccessControlPolicy",
	"GetObjectAttributesOutput":              "GetObjectAttributesResponse",
	"GetObjectTaggingOutput":                 "Tagging",
	"ListBucketsOutput":                      "ListAllMyBucketsResult",
	"ListMultipartUploadsOutput":             "ListMultipartUploadsResult",
	"ListObjectVersionsOutput":               "ListVersionsResult",
	"ListObjectsOutput":                      "ListBucketResult",
	"ListObjectsV2Output":                    "ListBucketResult",
	"ListPartsOutput":                        "ListPartsResult",
}

var logsOperations = words(`
	AssociateKmsKey CreateDelivery CreateLogGroup CreateLogStream DeleteDelivery DeleteDeliveryDestination
	DeleteDeliveryDestinationPolicy DeleteDeliverySource DeleteDestination DeleteLogGroup DeleteLogStream DeleteMetricFilter
	DeleteQueryDefinition DeleteResourcePolicy DeleteRetentionPolicy DeleteSubscriptionFilter DescribeConfigurationTemplates
	DescribeDeliveries DescribeDeliveryDestinations DescribeDeliverySources DescribeDestinations
	DescribeLogGroups DescribeLogStreams DescribeMetricFilters DescribeQueries DescribeQueryDefinitions
	DescribeResourcePolicies DescribeSubscriptionFilters DisassociateKmsKey FilterLogEvents GetDelivery GetDeliveryDestination
	GetDeliveryDestinationPolicy GetDeliverySource GetLogEvents GetLogRecord
	GetLogGroupFields GetQueryResults ListLogGroups ListTagsForResource ListTagsLogGroup PutDeliveryDestination
	PutDeliveryDestinationPolicy PutDeliverySource PutDestination PutDestinationPolicy
	PutLogEvents PutLogGroupDeletionProtection PutMetricFilter PutQueryDefinition PutResourcePolicy PutRetentionPolicy
	PutSubscriptionFilter StartQuery StopQuery TagLogGroup TagResource TestMetricFilter UntagLogGroup UntagResource
	UpdateDeliveryConfiguration`)

var cloudformationOperations = words(`
	CancelUpdateStack ContinueUpdateRollback CreateChangeSet CreateStack DeleteChangeSet DeleteStack DescribeAccountLimits
	DescribeChangeSet DescribeChangeSetHooks DescribeEvents DescribeStackDriftDetectionStatus DescribeStackEvents
	DescribeStackResource DescribeStackResourceDrifts DescribeStackResources DescribeStacks DescribeType DetectStackDrift
	DetectStackResourceDrift EstimateTemplateCost ExecuteChangeSet GetStackPolicy GetTemplate GetTemplateSummary
	ListChangeSets ListExports ListImports ListStackResources ListStackSets ListStacks ListTypes RollbackStack SetStackPolicy
	SignalResource UpdateStack UpdateTerminationProtection ValidateTemplate`)

var ssmOperations = words(`
	AddTagsToResource DeleteParameter DeleteParameters DescribeParameters GetParameter GetParameterHistory GetParameters
	GetParametersByPath LabelParameterVersion ListTagsForResource PutParameter RemoveTagsFromResource
	UnlabelParameterVersion`)
