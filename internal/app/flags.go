package app

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/foregate/foregate/internal/service"
)

// sourceFlags are the flags of the commands that load a source.
type sourceFlags struct {
	parameters, origins, buckets, functions []string
	places                                  []string
	quotas, keyPairs                        []string
	cacheMemory, cacheDisk                  string
	realtimeLogs                            string
	originCredentials                       string
	region, account, stackName              string
	output                                  string
}

func (f *sourceFlags) add(cmd *cobra.Command, outputs string) {
	fl := cmd.Flags()
	fl.StringArrayVarP(&f.parameters, "parameter", "p", nil, "template parameter `Key=Value`, repeatable")
	fl.StringVar(&f.region, "region", defaultRegion(), "region that the stack is in")
	fl.StringVar(&f.account, "account", "000000000000", "account that owns the stack, 12 digits")
	fl.StringVar(&f.stackName, "stack-name", "", "name of the stack (default: the file's name)")
	fl.StringArrayVar(&f.origins, "origin", nil, "send an outside origin to another address, `HOST=URL`, repeatable")
	fl.StringVar(&f.originCredentials, "origin-credentials", "", "sign for outside origins with access control (S3, function URLs, MediaStore, MediaPackage v2): a `PROFILE` of ~/.aws/credentials, or a file like it (default: such requests are not signed)")
	fl.StringArrayVar(&f.buckets, "bucket", nil, "fill an S3 bucket (its name or logical id) from a folder, `NAME=DIR`, repeatable")
	fl.StringArrayVar(&f.functions, "function", nil, "code of a function whose package is not in the template, `LOGICALID=DIR`, repeatable")
	fl.StringArrayVar(&f.places, "geoip", nil, "where viewers are: `FILE` in MaxMind's format, or ADDRESS=COUNTRY, such as 127.0.0.2=DE; repeatable")
	fl.StringVar(&f.realtimeLogs, "realtime-logs", "", "folder `DIR` for real-time logs of distributions: a file for each data stream, NAME.log")
	fl.StringArrayVar(&f.quotas, "quota", nil, "a quota that AWS has raised for the account, `NAME=N`, repeatable; names: "+strings.Join(service.QuotaNames(), ", "))
	fl.StringArrayVar(&f.keyPairs, "key-pair", nil, "public key of a CloudFront key pair of the account, for TrustedSigners: `ID=FILE`, such as APKA9ONS7QCOWEXAMPLE=public.pem; repeatable")
	fl.StringVarP(&f.output, "output", "o", "text", "output format: "+outputs)
}

// addCache adds the flag of the commands that serve.
func (f *sourceFlags) addCache(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.cacheMemory, "cache-memory", fmt.Sprintf("%dMiB", defaultCache>>20), "`SIZE` of the memory that the cache of distributions may use, such as 512MiB or 8GiB")
	cmd.Flags().StringVar(&f.cacheDisk, "cache-disk", "", "`SIZE` of what the cache may keep in the folder of --data, such as 100GiB (default a tenth of the file system, 64GiB at most)")
}

func defaultRegion() string {
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION"} {
		if r := os.Getenv(name); r != "" {
			return r
		}
	}
	return "us-east-1"
}

var (
	regionForm  = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-\d$`)
	accountForm = regexp.MustCompile(`^\d{12}$`)
)

// options checks the flags and turns them into Options. formats are the allowed values of --output.
func (f *sourceFlags) options(formats ...string) (Options, error) {
	o := Options{Region: f.region, Account: f.account, Places: f.places, RealtimeLogs: f.realtimeLogs}
	if !regionForm.MatchString(f.region) {
		return o, usage("--region %q: want a region such as eu-west-1", f.region)
	}
	if !accountForm.MatchString(f.account) {
		return o, usage("--account %q: want 12 digits", f.account)
	}
	ok := false
	for _, format := range formats {
		ok = ok || f.output == format
	}
	if !ok {
		return o, usage("--output %q: want %s", f.output, strings.Join(formats, ", "))
	}
	var err error
	if o.Origins, err = pairs("--origin", "HOST=URL", f.origins); err != nil {
		return o, err
	}
	for host, to := range o.Origins {
		if u, err := url.Parse(to); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return o, usage("--origin %s=%s: want an http or https address behind the =", host, to)
		}
	}
	if f.originCredentials != "" {
		if o.OriginCredentials, err = openOriginCredentials(f.originCredentials); err != nil {
			return o, err
		}
	}
	if o.Quotas, err = quotas(f.quotas); err != nil {
		return o, err
	}
	if o.KeyPairs, err = keyPairs(f.keyPairs); err != nil {
		return o, err
	}
	if f.cacheMemory != "" {
		if o.CacheMemory, err = parseSize("--cache-memory", f.cacheMemory); err != nil {
			return o, err
		}
	}
	if f.cacheDisk != "" {
		if o.CacheDisk, err = parseSize("--cache-disk", f.cacheDisk); err != nil {
			return o, err
		}
	}
	if o.Buckets, err = folders("--bucket", "NAME=DIR", f.buckets); err != nil {
		return o, err
	}
	if o.Functions, err = folders("--function", "LOGICALID=DIR", f.functions); err != nil {
		return o, err
	}
	return o, nil
}

// params returns the template parameters of the command line.
func (f *sourceFlags) params() (map[string]string, error) {
	return pairs("--parameter", "Key=Value", f.parameters)
}

// pairs splits KEY=VALUE arguments.
func pairs(flag, form string, args []string) (map[string]string, error) {
	out := map[string]string{}
	for _, a := range args {
		k, v, ok := strings.Cut(a, "=")
		if !ok || k == "" {
			return nil, usage("%s %q: want %s", flag, a, form)
		}
		if _, twice := out[k]; twice {
			return nil, usage("%s %q: %s is given twice", flag, a, k)
		}
		out[k] = v
	}
	return out, nil
}

// folders is pairs for values that must be folders, or zip files of a function.
func folders(flag, form string, args []string) (map[string]string, error) {
	m, err := pairs(flag, form, args)
	if err != nil {
		return nil, err
	}
	for k, dir := range m {
		info, err := os.Stat(dir)
		if err != nil {
			return nil, usage("%s %s=%s: %v", flag, k, dir, err)
		}
		if !info.IsDir() && !strings.HasSuffix(dir, ".zip") {
			return nil, usage("%s %s=%s: it is not a folder", flag, k, dir)
		}
		if m[k], err = filepath.Abs(dir); err != nil {
			return nil, usage("%s %s=%s: %v", flag, k, dir, err)
		}
	}
	return m, nil
}

// stackNameOf makes a stack name of a file name: letters, digits and hyphens, a letter first, at most 128.
func stackNameOf(file string) string {
	name := filepath.Base(file)
	name = strings.TrimSuffix(name, filepath.Ext(name))
	name = strings.Map(func(r rune) rune {
		if r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			return r
		}
		return '-'
	}, name)
	name = strings.Trim(name, "-")
	if name == "" || !unicode.IsLetter(rune(name[0])) {
		name = "stack-" + name
	}
	return strings.Trim(name[:min(len(name), 128)], "-")
}

var stackNameForm = regexp.MustCompile(`^[A-Za-z][-A-Za-z0-9]{0,127}$`)

// nameFor returns the stack's name for a source file.
func (f *sourceFlags) nameFor(file string) (string, error) {
	if f.stackName == "" {
		return stackNameOf(file), nil
	}
	if !stackNameForm.MatchString(f.stackName) {
		return "", usage("--stack-name %q: want letters, digits and hyphens, a letter first, at most 128", f.stackName)
	}
	return f.stackName, nil
}
