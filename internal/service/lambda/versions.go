package lambda

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/lambda"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

// published is what publish leads to.
type published struct {
	Published int64
	Config    *lambda.FunctionConfiguration
}

// publish makes a version of $LATEST. When nothing has changed since the last version, that one is the answer (Lambda API
// reference, PublishVersion).
func publish(tx *store.Tx, t target, f *resource.Function, description *string) published {
	if last, ok := resource.FunctionVersions.Get(tx, t.region, resource.FunctionPartID(t.name, strconv.FormatInt(f.Published, 10))); ok &&
		deref(last.Config.CodeSha256) == deref(f.Config.CodeSha256) && deref(last.Config.LastModified) == deref(f.Config.LastModified) {
		return published{f.Published, last.Config}
	}
	n := f.Published + 1
	number := strconv.FormatInt(n, 10)
	c := *f.Config
	t.qualifier = number
	c.FunctionArn, c.Version, c.RevisionId = new(t.arn()), &number, new(awsapi.NewUUID())
	replace(&c.Description, description)
	resource.FunctionVersions.Put(tx, t.region, t.part(), &resource.FunctionVersion{Function: t.name, Config: &c, Code: f.Code})
	return published{n, &c}
}

// PublishVersion makes an immutable version of $LATEST.
func (s *Service) PublishVersion(ctx context.Context, in *lambda.PublishVersionInput) (*lambda.PublishVersionOutput, error) {
	t, old, err := s.function(ctx, in.FunctionName, nil)
	if err != nil {
		return nil, err
	}
	if err := stale(in.RevisionId, old.Config.RevisionId, "GetFunction/GetAlias"); err != nil {
		return nil, err
	}
	if want, now := deref(in.CodeSha256), deref(old.Config.CodeSha256); want != "" && want != now {
		return nil, invalid("CodeSha256", fmt.Sprintf("CodeSHA256 (%s) is different from current CodeSHA256 in $LATEST (%s). Please try again with the CodeSHA256 in $LATEST.", want, now), "")
	}
	t.qualifier = ""
	f := *old
	var v published
	err = s.update(ctx, func(tx *store.Tx) {
		if v = publish(tx, t, old, in.Description); v.Published != old.Published {
			f.Published = v.Published
			resource.Functions.Put(tx, t.region, t.name, &f)
		}
	})
	return v.Config, err
}

// versions lists $LATEST and the published versions in order.
func (s *Service) versions(r store.Reader, t target, f *resource.Function) []*lambda.FunctionConfiguration {
	latest := *f.Config
	t.qualifier = "$LATEST"
	latest.FunctionArn = new(t.arn())
	var numbered []*lambda.FunctionConfiguration
	for _, v := range resource.FunctionVersions.All(r, t.region) {
		if v.Function == t.name {
			numbered = append(numbered, v.Config)
		}
	}
	number := func(c *lambda.FunctionConfiguration) int64 { n, _ := strconv.ParseInt(*c.Version, 10, 64); return n }
	slices.SortFunc(numbered, func(a, b *lambda.FunctionConfiguration) int { return cmp.Compare(number(a), number(b)) })
	return append([]*lambda.FunctionConfiguration{&latest}, numbered...)
}

// ListVersionsByFunction lists $LATEST and the published versions.
func (s *Service) ListVersionsByFunction(ctx context.Context, in *lambda.ListVersionsByFunctionInput) (*lambda.ListVersionsByFunctionOutput, error) {
	t, f, err := s.function(ctx, in.FunctionName, nil)
	if err != nil {
		return nil, err
	}
	items, next := page(s.versions(s.env.Store.Read(ctx), t, f), func(c *lambda.FunctionConfiguration) string { return *c.Version }, in.Marker, in.MaxItems)
	return &lambda.ListVersionsByFunctionOutput{Versions: items, NextMarker: next}, nil
}

func (s *Service) deleteVersion(ctx context.Context, t target) error {
	r := s.env.Store.Read(ctx)
	switch {
	case t.qualifier == "$LATEST":
		return invalid("Qualifier", "$LATEST version cannot be deleted without deleting the function.", "")
	case !versionNumber.MatchString(t.qualifier):
		return invalid("Qualifier", "Deletion of aliases is not currently supported.", "the qualifier is no version number", "delete an alias with DeleteAlias")
	}
	for _, a := range resource.FunctionAliases.All(r, t.region) {
		if a.Function != t.name {
			continue
		}
		_, weighted := deref(a.Value.RoutingConfig).AdditionalVersionWeights[t.qualifier]
		if deref(a.Value.FunctionVersion) == t.qualifier || weighted {
			return refuse(lambda.ErrCodeResourceConflictException, "Qualifier", fmt.Sprintf("Cannot delete version %s: it is used by alias %s.", t.qualifier, *a.Value.Name), "") // text: our words
		}
	}
	// A version that is not there is deleted all the same (Lambda API reference, DeleteFunction: idempotent on versions).
	return s.update(ctx, func(tx *store.Tx) { resource.FunctionVersions.Delete(tx, t.region, t.part()) })
}

// checkAlias checks the versions that an alias points at.
func (s *Service) checkAlias(r store.Reader, t target, version *string, routing *lambda.AliasRoutingConfiguration) error {
	exists := func(number, path string) error {
		if number == "$LATEST" {
			return nil
		}
		if _, ok := resource.FunctionVersions.Get(r, t.region, resource.FunctionPartID(t.name, number)); !ok {
			t.qualifier = number
			return refuse(lambda.ErrCodeResourceNotFoundException, path, "Function not found: "+t.arn(), "version "+number+" has not been published")
		}
		return nil
	}
	if err := exists(deref(version), "FunctionVersion"); err != nil {
		return err
	}
	weights := deref(routing).AdditionalVersionWeights
	if len(weights) > 1 {
		return invalid("RoutingConfig.AdditionalVersionWeights", "Number of items in AdditionalVersionWeights cannot be greater than 1", "")
	}
	for number := range weights {
		if number == deref(version) {
			return invalid("RoutingConfig.AdditionalVersionWeights", fmt.Sprintf("Invalid function version %s. Function version %s is already included in routing configuration.", number, number), "")
		}
		if deref(version) == "$LATEST" || number == "$LATEST" {
			return invalid("RoutingConfig.AdditionalVersionWeights", "$LATEST is not supported for an alias pointing to more than 1 version", "")
		}
		if err := exists(number, "RoutingConfig.AdditionalVersionWeights"); err != nil {
			return err
		}
	}
	return nil
}

// CreateAlias names a version.
func (s *Service) CreateAlias(ctx context.Context, in *lambda.CreateAliasInput) (*lambda.CreateAliasOutput, error) {
	t, _, err := s.function(ctx, in.FunctionName, nil)
	if err != nil {
		return nil, err
	}
	t.qualifier = deref(in.Name)
	r := s.env.Store.Read(ctx)
	if _, ok := resource.FunctionAliases.Get(r, t.region, t.part()); ok {
		return nil, refuse(lambda.ErrCodeResourceConflictException, "Name", "Alias already exists: "+t.arn(), "")
	}
	if err := s.checkAlias(r, t, in.FunctionVersion, in.RoutingConfig); err != nil {
		return nil, err
	}
	a := &resource.FunctionAlias{Function: t.name, Value: &lambda.AliasConfiguration{
		AliasArn: new(t.arn()), Name: in.Name, FunctionVersion: in.FunctionVersion, Description: or(in.Description, ""),
		RoutingConfig: routed(in.RoutingConfig), RevisionId: new(awsapi.NewUUID())}}
	return a.Value, s.update(ctx, func(tx *store.Tx) { resource.FunctionAliases.Put(tx, t.region, t.part(), a) })
}

// routed leaves out a routing configuration without weights.
func routed(c *lambda.AliasRoutingConfiguration) *lambda.AliasRoutingConfiguration {
	if len(deref(c).AdditionalVersionWeights) == 0 {
		return nil
	}
	return c
}

func (s *Service) alias(ctx context.Context, function, name *string) (target, *resource.FunctionAlias, error) {
	t, _, err := s.function(ctx, function, nil)
	if err != nil {
		return t, nil, err
	}
	t.qualifier = deref(name)
	a, ok := resource.FunctionAliases.Get(s.env.Store.Read(ctx), t.region, t.part())
	if !ok {
		return t, nil, awsapi.Errorf(lambda.ErrCodeResourceNotFoundException, "Cannot find alias arn: %s", t.arn())
	}
	return t, a, nil
}

// GetAlias returns an alias.
func (s *Service) GetAlias(ctx context.Context, in *lambda.GetAliasInput) (*lambda.GetAliasOutput, error) {
	_, a, err := s.alias(ctx, in.FunctionName, in.Name)
	if err != nil {
		return nil, err
	}
	return a.Value, nil
}

// UpdateAlias changes what an alias stands for.
func (s *Service) UpdateAlias(ctx context.Context, in *lambda.UpdateAliasInput) (*lambda.UpdateAliasOutput, error) {
	t, old, err := s.alias(ctx, in.FunctionName, in.Name)
	if err != nil {
		return nil, err
	}
	if err := stale(in.RevisionId, old.Value.RevisionId, "GetFunction/GetAlias"); err != nil {
		return nil, err
	}
	v := *old.Value
	replace(&v.FunctionVersion, in.FunctionVersion)
	replace(&v.Description, in.Description)
	if in.RoutingConfig != nil {
		v.RoutingConfig = routed(in.RoutingConfig)
	}
	if err := s.checkAlias(s.env.Store.Read(ctx), t, v.FunctionVersion, v.RoutingConfig); err != nil {
		return nil, err
	}
	v.RevisionId = new(awsapi.NewUUID())
	a := &resource.FunctionAlias{Function: t.name, Value: &v}
	return &v, s.update(ctx, func(tx *store.Tx) { resource.FunctionAliases.Put(tx, t.region, t.part(), a) })
}

// DeleteAlias deletes an alias; it is no error when there is none.
func (s *Service) DeleteAlias(ctx context.Context, in *lambda.DeleteAliasInput) (*lambda.DeleteAliasOutput, error) {
	t, _, err := s.function(ctx, in.FunctionName, nil)
	if err != nil {
		return nil, err
	}
	t.qualifier = deref(in.Name)
	return &lambda.DeleteAliasOutput{}, s.update(ctx, func(tx *store.Tx) { resource.FunctionAliases.Delete(tx, t.region, t.part()) })
}

// ListAliases lists a function's aliases.
func (s *Service) ListAliases(ctx context.Context, in *lambda.ListAliasesInput) (*lambda.ListAliasesOutput, error) {
	t, _, err := s.function(ctx, in.FunctionName, nil)
	if err != nil {
		return nil, err
	}
	var all []*lambda.AliasConfiguration
	for _, a := range resource.FunctionAliases.All(s.env.Store.Read(ctx), t.region) {
		if a.Function == t.name && (in.FunctionVersion == nil || *in.FunctionVersion == deref(a.Value.FunctionVersion)) {
			all = append(all, a.Value)
		}
	}
	items, next := page(all, func(a *lambda.AliasConfiguration) string { return *a.Name }, in.Marker, in.MaxItems)
	return &lambda.ListAliasesOutput{Aliases: items, NextMarker: next}, nil
}
