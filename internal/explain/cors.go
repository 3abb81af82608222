package explain

import (
	"fmt"
	"strings"

	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/trace"
)

const docCORS = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/header-caching.html#header-caching-web-cors"

// corsDropped is the finding about a bucket with CORS rules that did not get from distribution h what they are matched with; has
// names the distribution's policies.
func corsDropped(h *trace.Hop, e *Explanation, has string) []diag.Finding {
	var bucket trace.Fact
	for _, other := range e.Hops {
		if f, ok := fact(other, trace.CORSChecked); ok {
			bucket = f
		}
	}
	if bucket.Kind == "" || bucket.Name == "allowed" {
		return nil
	}
	var lost []string
	path := ""
	for _, name := range []string{"Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers"} {
		if f, ok := names(h, trace.HeaderDropped, name); ok {
			lost, path = append(lost, name), f.Path
		}
	}
	if lost == nil {
		return nil
	}
	return []diag.Finding{{Code: diag.CORSHeadersDropped, Severity: diag.Error, Path: path, Doc: docCORS,
		Message: fmt.Sprintf("the bucket has CORS rules, and did not get %s: its answer has no Access-Control-Allow-Origin", strings.Join(lost, ", ")),
		Because: nonEmpty("S3 answers with CORS headers only to requests that name their Origin; what is cached without it is served to all", has),
		Fixes: []string{"use the managed origin request policy CORS-S3Origin (88a5eaf4-2fd4-4709-b370-b4c650ea3fcf), with Origin in the cache key or caching disabled",
			"let CloudFront add the headers: the managed response headers policy SimpleCORS (60669652-455b-4ae9-85a4-c4c02393f86c)"}}}
}
