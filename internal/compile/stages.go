package compile

// stages are run in this order; a stage reads what those above it have put into compiled.
var stages = []struct {
	name string
	run  func(*compiler)
}{
	{"identities", (*compiler).identities},             // users, roles and keys → iam.Directory
	{"functions", (*compiler).functionsStage},          // Lambda functions and versions → lambda.Function
	{"edge-functions", (*compiler).edgeFunctionsStage}, // CloudFront Functions → cloudfront.Function
	{"certificates", (*compiler).certificatesStage},    // ACM → front.Certificate
	{"buckets", (*compiler).bucketsStage},              // S3 → bucket.Service
	{"rest-apis", (*compiler).restAPIs},                // API Gateway → gateway.Regional
	{"distributions", (*compiler).distributions},
	{"names", (*compiler).names}, // Route 53 → records
}
