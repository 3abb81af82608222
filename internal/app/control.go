package app

import (
	"context"
	"encoding/pem"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/foregate/foregate/internal/awsapi"
	awsacm "github.com/foregate/foregate/internal/awsapi/acm"
	awsapigateway "github.com/foregate/foregate/internal/awsapi/apigateway"
	awscloudfront "github.com/foregate/foregate/internal/awsapi/cloudfront"
	awskvs "github.com/foregate/foregate/internal/awsapi/cloudfrontkeyvaluestore"
	awsiam "github.com/foregate/foregate/internal/awsapi/iam"
	awslambda "github.com/foregate/foregate/internal/awsapi/lambda"
	awslogs "github.com/foregate/foregate/internal/awsapi/logs"
	awsroute53 "github.com/foregate/foregate/internal/awsapi/route53"
	awss3 "github.com/foregate/foregate/internal/awsapi/s3"
	awssts "github.com/foregate/foregate/internal/awsapi/sts"
	"github.com/foregate/foregate/internal/bucket"
	running "github.com/foregate/foregate/internal/function/lambda"
	identities "github.com/foregate/foregate/internal/iam"
	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/service"
	"github.com/foregate/foregate/internal/service/acm"
	"github.com/foregate/foregate/internal/service/apigateway"
	"github.com/foregate/foregate/internal/service/cloudfront"
	"github.com/foregate/foregate/internal/service/iam"
	"github.com/foregate/foregate/internal/service/keyvaluestore"
	"github.com/foregate/foregate/internal/service/lambda"
	"github.com/foregate/foregate/internal/service/logs"
	"github.com/foregate/foregate/internal/service/route53"
	"github.com/foregate/foregate/internal/service/s3"
	"github.com/foregate/foregate/internal/service/sts"
	"github.com/foregate/foregate/internal/stack"
)

// openServices makes the control plane.
func (n *Node) openServices() error {
	config, err := os.UserConfigDir()
	if err != nil {
		return fmt.Errorf("find the configuration folder: %w", err)
	}
	env := &service.Env{Store: n.store, Now: time.Now, Account: n.opts.Account, Serving: n.Serving, Quotas: n.opts.Quotas,
		KeyPairs: slices.Sorted(maps.Keys(n.opts.KeyPairs))}
	if env.Seed, err = seed(filepath.Join(config, "foregate")); err != nil {
		return fmt.Errorf("open this machine's seed: %w", err)
	}
	objects := func(name string) (bucket.Objects, error) { return n.objects.of(name, "") }
	logService := logs.New(env)
	n.edgeLogs = logService.Append
	n.logs = func(l running.LogLine) {
		logService.Append(n.opts.Region, "/aws/lambda/"+l.Function, l.Time.UTC().Format("2006/01/02")+"/[$LATEST]foregate", l.Time, l.Text)
	}
	n.lambda = lambda.New(env, lambda.Options{Invoke: n.invoke, ReadObject: n.readObject})
	n.services = &stack.Services{
		Env:        env,
		ACM:        acm.New(env, n.issue),
		APIGateway: apigateway.New(env),
		CloudFront: cloudfront.New(env, n.invalidate).WithObjects(n.readObject),
		IAM:        iam.New(env),
		Lambda:     n.lambda,
		Logs:       logService,
		Route53:    route53.New(env),
		S3:         s3.New(env, objects),
	}
	directory := func() identities.Directory { return n.result.Load().Directory }
	who := service.NewAuthenticator(directory, n.opts.Account, n.opts.Region, time.Now)
	server := &awsapi.Server{
		Region: n.opts.Region, Account: n.opts.Account,
		Authenticate: who.Authenticate, Admit: who.Admit,
		Services: []awsapi.Registration{
			{Service: awsacm.Service, Handler: n.services.ACM},
			{Service: awsapigateway.Service, Handler: n.services.APIGateway},
			{Service: awscloudfront.Service, Handler: n.services.CloudFront},
			{Service: awskvs.Service, Handler: keyvaluestore.New(env)},
			{Service: awsiam.Service, Handler: n.services.IAM},
			{Service: awslambda.Service, Handler: n.services.Lambda},
			{Service: awslogs.Service, Handler: n.services.Logs},
			{Service: awsroute53.Service, Handler: n.services.Route53},
			{Service: awss3.Service, Handler: n.services.S3},
			{Service: awssts.Service, Handler: sts.New(env, n.env.Sessions, directory)},
		},
	}
	n.api = server
	n.env.BucketAPI = message.HandlerFunc(n.serveAPI)
	return nil
}

// serveAPI answers the AWS API. A change is served before its answer goes out, so that a client can use what it made.
func (n *Node) serveAPI(ctx context.Context, r *message.Request) *message.Response {
	if address, ok := strings.CutPrefix(r.Path, explanationPath); ok && n.opts.Explanations && r.Method == "GET" {
		return n.explained.serve(address)
	}
	if fromAnotherSite(r) {
		return message.Text(403, "text/plain; charset=utf-8", "The AWS API takes no such request from a page of another site.\n",
			message.Field{Name: "Foregate-Error", Value: "cross-site"})
	}
	resp := n.api.Serve(ctx, r)
	n.Refresh()
	return resp
}

// landing is what a browser sees at the API's address.
func (n *Node) landing(context.Context, *message.Request) *message.Response {
	var b strings.Builder
	b.WriteString("Foregate " + version() + "\n\nIt serves:\n\n")
	writeEndpoints(&b, n.Endpoints(), n.opts.Listen)
	b.WriteString("\nThe AWS API answers here as well: AWS_ENDPOINT_URL=http://" + n.opts.Endpoint + ", access key test, secret test.\n")
	return message.Text(200, "text/plain; charset=utf-8", b.String())
}

// isBucket tells the front which names under the API's own are buckets.
func (n *Node) isBucket(string) bool { return false }

// invalidate drops cached objects of a distribution.
func (n *Node) invalidate(distribution string, paths []string) { n.env.Invalidate(distribution, paths) }

// invoke runs a function for the API's Invoke.
func (n *Node) invoke(ctx context.Context, arn string, inv running.Invocation) (running.Result, error) {
	for {
		plan := n.result.Load()
		f, ok, err := plan.Function(arn)
		if !ok {
			return running.Result{}, fmt.Errorf("invoke %q: there is no such function", arn)
		}
		if err != nil {
			return running.Result{}, err
		}
		result, err := f.Invoke(ctx, inv)
		if err == nil || n.result.Load() == plan {
			return result, err
		}
		// The plan was replaced meanwhile, and may have released the function.
	}
}

// issue signs a certificate with the local authority for the API's GetCertificate.
func (n *Node) issue(names []string) (certificate, chain string, err error) {
	c, err := n.authority.Issue(names)
	if err != nil {
		return "", "", err
	}
	leaf := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})
	return string(leaf), string(n.authority.PEM()), nil
}
