package iam

import (
	"strings"
	"sync"
)

// AWSManaged returns the document of a managed policy of AWS, by the name behind "policy/" in its ARN. known is true also for
// policies that are known to grant nothing that Foregate decides about (execute-api, lambda, s3, apigateway, cloudfront);
// they have a nil Document.
//
// Source: the AWS Managed Policy Reference. Of PowerUserAccess only the first statement is here; the second grants reading
// of account data and making of service-linked roles.
func AWSManaged(policyARN string) (d *Document, known bool) {
	_, name, ok := strings.Cut(policyARN, ":policy/")
	if !ok {
		return nil, false
	}
	if d, ok := awsManaged()[name]; ok {
		return d, true
	}
	_, ok = grantNothingHere[name]
	return nil, ok
}

var awsManagedTexts = map[string]string{
	"AdministratorAccess":                      `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`,
	"PowerUserAccess":                          `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","NotAction":["iam:*","organizations:*","account:*"],"Resource":"*"}]}`,
	"AmazonAPIGatewayInvokeFullAccess":         `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["execute-api:Invoke","execute-api:ManageConnections"],"Resource":"arn:aws:execute-api:*:*:*"}]}`,
	"AmazonAPIGatewayAdministrator":            `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["apigateway:*"],"Resource":"arn:aws:apigateway:*::/*"}]}`,
	"AmazonS3FullAccess":                       `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*","s3-object-lambda:*"],"Resource":"*"}]}`,
	"AmazonS3ReadOnlyAccess":                   `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:Get*","s3:List*","s3:Describe*","s3-object-lambda:Get*","s3-object-lambda:List*"],"Resource":"*"}]}`,
	"service-role/AWSLambdaBasicExecutionRole": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["logs:CreateLogGroup","logs:CreateLogStream","logs:PutLogEvents"],"Resource":"*"}]}`,
	"service-role/AWSLambdaRole":               `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["lambda:InvokeFunction"],"Resource":["*"]}]}`,
}

// awsManaged parses the texts once. They are constants, which a test checks.
var awsManaged = sync.OnceValue(func() map[string]*Document {
	all := make(map[string]*Document, len(awsManagedTexts))
	for name, text := range awsManagedTexts {
		if d, err := Parse([]byte(text)); err == nil {
			all[name] = d
		}
	}
	return all
})

// grantNothingHere lists policies for logs, traces, queues and networks.
var grantNothingHere = map[string]struct{}{
	"service-role/AWSLambdaVPCAccessExecutionRole":      {},
	"service-role/AWSLambdaDynamoDBExecutionRole":       {},
	"service-role/AWSLambdaKinesisExecutionRole":        {},
	"service-role/AWSLambdaSQSQueueExecutionRole":       {},
	"service-role/AmazonAPIGatewayPushToCloudWatchLogs": {},
	"AWSXRayDaemonWriteAccess":                          {},
	"AWSXrayWriteOnlyAccess":                            {},
	"CloudWatchLambdaInsightsExecutionRolePolicy":       {},
	"CloudWatchLogsFullAccess":                          {},
	"AmazonDynamoDBReadOnlyAccess":                      {},
	"AmazonSSMReadOnlyAccess":                           {},
	"AmazonSQSFullAccess":                               {},
	"AmazonSNSFullAccess":                               {},
	"AmazonSESFullAccess":                               {},
	"AmazonSSMManagedInstanceCore":                      {},
	"service-role/AmazonEC2ContainerServiceforEC2Role":  {},
	"service-role/AmazonECSTaskExecutionRolePolicy":     {},
}
