package compile

import (
	"crypto"
	"time"

	"github.com/foregate/foregate/internal/accesslog"
	"github.com/foregate/foregate/internal/bucket"
	"github.com/foregate/foregate/internal/edge"
	"github.com/foregate/foregate/internal/edge/cache"
	"github.com/foregate/foregate/internal/edge/signed"
	"github.com/foregate/foregate/internal/front"
	"github.com/foregate/foregate/internal/function/cloudfront"
	"github.com/foregate/foregate/internal/function/lambda"
	"github.com/foregate/foregate/internal/gateway"
	"github.com/foregate/foregate/internal/geo"
	"github.com/foregate/foregate/internal/iam"
	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/origin"
	"github.com/foregate/foregate/internal/sigv4"
)

// Env is what plans stand on: the parts of the data plane that outlive every plan.
type Env struct {
	// Region is where a stack goes unless it says otherwise; its API Gateway answers even when nothing is deployed.
	Region, Account string
	// RootKeyID and RootSecret are the access key of the account's root; without an id there is none.
	RootKeyID, RootSecret string

	Now       func() time.Time
	Functions *lambda.Runtime
	// EdgeFunctions keeps compiled CloudFront Functions; FunctionLog takes what their calls write.
	EdgeFunctions *cloudfront.Cache
	FunctionLog   func(*edge.FunctionLog)
	Origins       *origin.Client
	// OriginCredentials sign for origins with access control that are not served here; nil when the operator has named none.
	OriginCredentials func() (sigv4.Credentials, error)
	// Sessions are the temporary credentials of roles: of functions, and of STS.
	Sessions *iam.Sessions
	// Objects returns where the objects of a bucket are; the same at every call.
	Objects func(bucketName, logicalID string) (bucket.Objects, error)
	// BucketAPI answers what the data plane of S3 does not: bucket operations.
	BucketAPI message.Handler
	// Cache is the cache of all distributions.
	Cache *cache.Cache
	// Signatures remembers valid signatures of URLs and cookies; nil remembers none.
	Signatures *signed.Verified
	// KeyPairs are the public keys of the account's CloudFront key pairs, by id; AWS makes them in its console alone.
	KeyPairs map[string]crypto.PublicKey
	// Places knows where viewers are; nil when the operator has named no database.
	Places *geo.Locator
	// Node is what the edge calls itself.
	Node edge.Node
	// NoHTTP3 says why the node does not serve HTTP/3; "" when it does.
	NoHTTP3 string
	// EdgeLogs gathers and delivers the standard logs of distributions; nil for a node that writes none. KeepsBucket tells whether
	// there are objects for a bucket that is not in the store.
	EdgeLogs    *accesslog.Collector
	KeepsBucket func(bucketName string) bool
	// RealtimeLogs tells whether EdgeLogs has a place for real-time logs.
	RealtimeLogs bool
	// AccessLog takes the lines of access logs, with the ARN of the stage that they belong to.
	AccessLog func(stage, line string)
	// Gateway is what stages of REST APIs count and cache; its zero value is ready.
	Gateway GatewayState
}

// compiled is what stages hand to later ones.
type compiled struct {
	// identities
	directory iam.Directory
	// functions, by ARN: without a qualifier, with a version, with an alias.
	functions map[string]*function
	// replicas are what Lambda@Edge runs, by the ARN of the version that an association names.
	replicas map[string]*function
	// edgeFunctions are CloudFront Functions, by ARN.
	edgeFunctions map[string]edgeFunction
	// certificates, by ARN.
	certificates map[string]*front.Certificate
	buckets      *bucket.Service
	// regions with their APIs.
	regions map[string]*gateway.Regional
	edge    *edge.Service
}

// function is a Lambda function as others refer to it.
type function struct {
	// Function is nil when it could not be made, such as for want of code; calls fail then with the reason in Missing.
	*lambda.Function
	ARN, Name, SourcePath string
	// Missing says why there is no Function.
	Missing string
	// Policy is the function's resource policy, nil when nobody was given permission.
	Policy *iam.Document
	// Role is the ARN of the execution role.
	Role string
}
