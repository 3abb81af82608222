package apigateway

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/foregate/foregate/internal/awsapi/apigateway"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

// maxResources bounds the resources of an API (facts: apigateway 11).
const maxResources = 300

// pathPart is a literal, {name} or {name+}.
var pathPart = regexp.MustCompile(`^(?:[a-zA-Z0-9._\-:$,*+!'()]+|\{[a-zA-Z0-9._\-:]+\+?\})$`)

const badPathPart = "Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path variable and curly braces at the beginning and the end."

func (s *Service) resource(ctx context.Context, api, id *string) (*resource.RestPart[apigateway.Resource], error) {
	return get(ctx, s, resource.RestResources, resource.PartID(deref(api), deref(id)), noResource)
}

// CreateResource makes a resource below another one.
func (s *Service) CreateResource(ctx context.Context, in *apigateway.CreateResourceInput) (*apigateway.Resource, error) {
	if _, err := s.api(ctx, in.RestApiId); err != nil {
		return nil, err
	}
	parent, err := s.resource(ctx, in.RestApiId, in.ParentId)
	if err != nil {
		return nil, err
	}
	return s.addResource(ctx, parent, deref(in.PathPart), "")
}

// addResource makes a resource; place says where it stands in a document, "" for a resource of its own.
func (s *Service) addResource(ctx context.Context, parent *resource.RestPart[apigateway.Resource], part, place string) (*apigateway.Resource, error) {
	siblings := parts(ctx, s, resource.RestResources, &parent.API)
	if err := checkPathPart(siblings, parent.Value, part, ""); err != nil {
		return nil, err
	}
	if len(siblings) >= maxResources {
		return nil, refuse(apigateway.ErrCodeLimitExceededException, "", "Maximum number of resources for this API has been reached. Please contact AWS if you need additional resources.")
	}
	v := &apigateway.Resource{ParentId: parent.Value.Id, PathPart: &part, Path: new(joinPath(*parent.Value.Path, part))}
	v.Id = new(s.env.NewID(ctx, partID("resource "+*v.Path), taken(ctx, s, resource.RestResources, parent.API+"/")))
	err := putPart(ctx, s, resource.RestResources, *v.Id, &resource.RestPart[apigateway.Resource]{API: parent.API, Place: place, Value: v})
	return v, err
}

func joinPath(parent, part string) string { return strings.TrimSuffix(parent, "/") + "/" + part }

// checkPathPart checks a path part below a parent; self is the id of the resource that may have it already
// (test_create_proxy_resource_validation, test_update_resource_behaviour, recorded from AWS by localstack).
func checkPathPart(all []*resource.RestPart[apigateway.Resource], parent *apigateway.Resource, part, self string) error {
	if !pathPart.MatchString(part) {
		return bad("PathPart", badPathPart)
	}
	if p := deref(parent.PathPart); strings.HasSuffix(p, "+}") {
		return bad("ParentId", "Cannot create a child of a resource with a greedy path variable: "+p)
	}
	for _, other := range all {
		if deref(other.Value.ParentId) != *parent.Id || *other.Value.Id == self {
			continue
		}
		name := *other.Value.PathPart
		if name == part {
			return conflict("PathPart", "Another resource with the same parent already has this name: "+part)
		}
		if strings.HasPrefix(name, "{") && strings.HasPrefix(part, "{") {
			return bad("PathPart", "A sibling ("+name+") of this resource already has a variable path part -- only one is allowed")
		}
	}
	return nil
}

// GetResource returns a resource; its methods are embedded as far as asked for.
func (s *Service) GetResource(ctx context.Context, in *apigateway.GetResourceInput) (*apigateway.Resource, error) {
	v, err := s.resource(ctx, in.RestApiId, in.ResourceId)
	if err != nil {
		return nil, err
	}
	return s.shown(ctx, v, in.Embed), nil
}

// shown is a resource with its methods, empty ones unless they are to be embedded.
func (s *Service) shown(ctx context.Context, v *resource.RestPart[apigateway.Resource], embed []string) *apigateway.Resource {
	out := *v.Value
	prefix := resource.PartID(v.API, *out.Id) + "/"
	for rec, m := range resource.RestMethods.All(s.env.Store.Read(ctx), region(ctx)) {
		if strings.HasPrefix(rec.Key.ID, prefix) {
			if out.ResourceMethods == nil {
				out.ResourceMethods = map[string]*apigateway.Method{}
			}
			shown := &apigateway.Method{}
			if slices.Contains(embed, "methods") {
				shown = m.Value
			}
			out.ResourceMethods[*m.Value.HttpMethod] = shown
		}
	}
	return &out
}

// GetResources lists the resources of an API, by path.
func (s *Service) GetResources(ctx context.Context, in *apigateway.GetResourcesInput) (*apigateway.GetResourcesOutput, error) {
	if _, err := s.api(ctx, in.RestApiId); err != nil {
		return nil, err
	}
	all := parts(ctx, s, resource.RestResources, in.RestApiId)
	slices.SortFunc(all, func(a, b *resource.RestPart[apigateway.Resource]) int {
		return strings.Compare(*a.Value.Path, *b.Value.Path)
	})
	some, next := page(all, in.Position, in.Limit)
	out := &apigateway.GetResourcesOutput{Position: next}
	for _, v := range some {
		out.Items = append(out.Items, s.shown(ctx, v, in.Embed))
	}
	return out, nil
}

// UpdateResource renames or moves a resource with all below it (test_update_resource_behaviour).
func (s *Service) UpdateResource(ctx context.Context, in *apigateway.UpdateResourceInput) (*apigateway.Resource, error) {
	old, err := s.resource(ctx, in.RestApiId, in.ResourceId)
	if err != nil {
		return nil, err
	}
	for _, op := range in.PatchOperations {
		if old.Value.ParentId == nil && deref(op.Op) == "replace" {
			switch deref(op.Path) {
			case "/pathPart":
				return nil, bad("", "Root resource cannot update its pathPart.")
			case "/parentId":
				return nil, bad("", "Root resource cannot update its parentId.")
			}
		}
	}
	v, err := resourceRules.apply(old.Value, in.PatchOperations)
	if err != nil {
		return nil, err
	}
	all := parts(ctx, s, resource.RestResources, in.RestApiId)
	byID := map[string]*apigateway.Resource{}
	for _, p := range all {
		byID[*p.Value.Id] = p.Value
	}
	parent := byID[deref(v.ParentId)]
	if parent == nil {
		return nil, notFound(noResource)
	}
	for at := parent; at != nil; at = byID[deref(at.ParentId)] {
		if *at.Id == *v.Id {
			return nil, bad("", "Resources cannot be cyclical.")
		}
	}
	if err := checkPathPart(all, parent, *v.PathPart, *v.Id); err != nil {
		return nil, err
	}
	before := *v.Path
	v.Path = new(joinPath(*parent.Path, *v.PathPart))
	_, err = s.env.Store.Update(ctx, func(tx *store.Tx) error {
		for _, p := range all {
			q := *p
			switch rest, below := strings.CutPrefix(*p.Value.Path, before+"/"); {
			case *p.Value.Id == *v.Id:
				q.Value = v
			case below:
				q.Value = clone(p.Value)
				q.Value.Path = new(*v.Path + "/" + rest)
			default:
				continue
			}
			resource.RestResources.Put(tx, region(ctx), resource.PartID(p.API, *q.Value.Id), &q)
		}
		return nil
	})
	return v, err
}

// DeleteResource deletes a resource, those below it, and their methods.
func (s *Service) DeleteResource(ctx context.Context, in *apigateway.DeleteResourceInput) (*apigateway.DeleteResourceOutput, error) {
	v, err := s.resource(ctx, in.RestApiId, in.ResourceId)
	if err != nil {
		return nil, err
	}
	if v.Value.ParentId == nil {
		return nil, bad("ResourceId", "Root resource cannot be deleted") // text: our words
	}
	_, err = s.env.Store.Update(ctx, func(tx *store.Tx) error {
		s.dropResources(ctx, tx, v.API, func(path string) bool {
			return path == *v.Value.Path || strings.HasPrefix(path, *v.Value.Path+"/")
		})
		return nil
	})
	return &apigateway.DeleteResourceOutput{}, err
}

// dropResources deletes the resources of an API whose paths match, with their methods.
func (s *Service) dropResources(ctx context.Context, tx *store.Tx, api string, match func(path string) bool) {
	r := region(ctx)
	var ids []string
	for _, p := range resource.RestResources.All(tx, r) {
		if p.API == api && match(*p.Value.Path) {
			ids = append(ids, *p.Value.Id)
		}
	}
	for _, id := range ids {
		resource.RestResources.Delete(tx, r, resource.PartID(api, id))
		dropParts(tx, resource.RestMethods, r, resource.PartID(api, id))
	}
}
