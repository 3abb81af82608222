package resource

import (
	"context"
	"strings"
	"time"

	"github.com/foregate/foregate/internal/arn"
	"github.com/foregate/foregate/internal/awsapi/lambda"
	"github.com/foregate/foregate/internal/store"
)

// The kinds of Lambda, stored under their region. Ids that belong to a function begin with its name; a name has no slash.
var (
	Functions           = store.NewKind[Function]("lambda", "function")
	FunctionVersions    = store.NewKind[FunctionVersion]("lambda", "version")       // NAME/NUMBER
	FunctionAliases     = store.NewKind[FunctionAlias]("lambda", "alias")           // NAME/ALIAS
	FunctionPermissions = store.NewKind[FunctionPermission]("lambda", "permission") // NAME/QUALIFIER/SID
	FunctionURLs        = store.NewKind[FunctionURL]("lambda", "url")               // NAME/QUALIFIER
	LayerVersions       = store.NewKind[LayerVersion]("lambda", "layer-version")    // NAME/NUMBER
)

func lambdaDecoders() []store.Decoder {
	return []store.Decoder{
		Functions.Decoder(), FunctionVersions.Decoder(), FunctionAliases.Decoder(), FunctionPermissions.Decoder(),
		FunctionURLs.Decoder(), LayerVersions.Decoder(),
	}
}

// Function is a function's $LATEST and what all its versions share. It is stored under its name.
type Function struct {
	// Config is the function as GetFunctionConfiguration shows it, with Version $LATEST.
	Config *lambda.FunctionConfiguration
	Code   FunctionCode
	Tags   map[string]string
	// Concurrency is the reserved concurrency, nil when none is reserved.
	Concurrency *int64
	// Published is the number of the last published version, 0 before the first.
	Published int64
}

// FunctionCode is where a function's code comes from: one of Zip, Dir and Inline, or Missing.
type FunctionCode struct {
	// Zip is a deployment package.
	Zip []byte `json:",omitempty"`
	// Dir is a folder of this machine whose code runs in place.
	Dir string `json:",omitempty"`
	// Inline is the text of a template's ZipFile property.
	Inline string `json:",omitempty"`
	// Missing says why there is no code; such a function exists, and fails when it is called.
	Missing string `json:",omitempty"`
}

type codeKey struct{}

// WithFunctionCode gives CreateFunction and UpdateFunctionCode code that their API cannot carry: a local folder, the text of
// a template, or none. It takes the place of what the input has.
func WithFunctionCode(ctx context.Context, code FunctionCode) context.Context {
	return context.WithValue(ctx, codeKey{}, code)
}

// FunctionCodeFrom returns what WithFunctionCode gave.
func FunctionCodeFrom(ctx context.Context) (FunctionCode, bool) {
	code, ok := ctx.Value(codeKey{}).(FunctionCode)
	return code, ok
}

// FunctionVersion is a published version; it never changes.
type FunctionVersion struct {
	// Function is the function's name.
	Function string
	Config   *lambda.FunctionConfiguration
	Code     FunctionCode
}

// FunctionAlias is an alias of a function.
type FunctionAlias struct {
	Function string
	Value    *lambda.AliasConfiguration
}

// FunctionPermission is a statement of a function's resource policy.
type FunctionPermission struct {
	Function string
	// Qualifier is the version or alias whose policy it belongs to, "" for the function itself.
	Qualifier string
	Sid       string
	// Statement is the statement as JSON, as AddPermission returns it.
	Statement string
	// Revision is the RevisionId of the policy since this statement was added.
	RevisionID string
	Added      time.Time
}

// FunctionURL is a function URL.
type FunctionURL struct {
	Function string
	// Qualifier is the alias that it calls, "" for $LATEST.
	Qualifier string
	// ID is the first label of the host, ID.lambda-url.REGION.on.aws.
	ID     string
	Config *lambda.FunctionUrlConfig
}

// LayerVersion is a version of a layer.
type LayerVersion struct {
	Name  string
	Value *lambda.PublishLayerVersionOutput
	Zip   []byte `json:",omitempty"`
}

// FunctionPartID is the id of what belongs to a function.
func FunctionPartID(name string, part ...string) string { return name + "/" + strings.Join(part, "/") }

// LambdaExists tells whether the ARN of a function, with or without a qualifier, names one.
func LambdaExists(r store.Reader, text string) bool {
	a, err := arn.Parse(text)
	rest, ok := strings.CutPrefix(a.Resource, "function:")
	if err != nil || a.Service != "lambda" || !ok {
		return false
	}
	name, qualifier, _ := strings.Cut(rest, ":")
	if _, ok := Functions.Get(r, a.Region, name); !ok {
		return false
	}
	if qualifier == "" || qualifier == "$LATEST" {
		return true
	}
	_, version := FunctionVersions.Get(r, a.Region, FunctionPartID(name, qualifier))
	_, alias := FunctionAliases.Get(r, a.Region, FunctionPartID(name, qualifier))
	return version || alias
}
