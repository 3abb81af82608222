package iam

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/foregate/foregate/internal/awsapi/iam"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

// inlineOf lists the inline policies of an owner by name.
func inlineOf(r store.Reader, o resource.Owner) []*resource.InlinePolicy {
	var out []*resource.InlinePolicy
	for _, p := range resource.InlinePolicies.All(r, global) {
		if p.Owner == o {
			out = append(out, p)
		}
	}
	return out
}

// attachedTo lists the ARNs of the managed policies of an owner.
func attachedTo(r store.Reader, o resource.Owner) []string {
	var out []string
	for _, a := range resource.Attachments.All(r, global) {
		if a.Owner == o {
			out = append(out, a.PolicyARN)
		}
	}
	return out
}

// bare refuses the deletion of an owner that has policies.
func bare(r store.Reader, o resource.Owner) error {
	if len(attachedTo(r, o)) > 0 {
		return refuse(iam.ErrCodeDeleteConflict, "", "Cannot delete entity, must detach all policies first.")
	}
	if len(inlineOf(r, o)) > 0 {
		return refuse(iam.ErrCodeDeleteConflict, "", "Cannot delete entity, must delete policies first.")
	}
	return nil
}

// moveOwner takes policies along when an owner is renamed.
func moveOwner(tx *store.Tx, from resource.Owner, name string) {
	to := resource.Owner{Kind: from.Kind, Name: name}
	for _, p := range inlineOf(tx, from) {
		resource.InlinePolicies.Delete(tx, global, from.Key(p.Name))
		resource.InlinePolicies.Put(tx, global, to.Key(p.Name), &resource.InlinePolicy{Owner: to, Name: p.Name, Document: p.Document})
	}
	for _, a := range attachedTo(tx, from) {
		resource.Attachments.Delete(tx, global, from.Key(a))
		resource.Attachments.Put(tx, global, to.Key(a), &resource.Attachment{Owner: to, PolicyARN: a})
	}
}

func (s *Service) putInline(ctx context.Context, o resource.Owner, name, document *string) error {
	if err := checkIdentity("PolicyDocument", deref(document)); err != nil {
		return err
	}
	limit := map[string]int{"user": maxInlineUser, "group": maxInlineGroup, "role": maxInlineRole}[o.Kind]
	total := size(*document)
	for _, p := range inlineOf(s.read(ctx), o) {
		if p.Name != *name {
			total += size(p.Document)
		}
	}
	if total > limit {
		return refuse(iam.ErrCodeLimitExceeded, "PolicyDocument", fmt.Sprintf("Maximum policy size of %d bytes exceeded for %s %s", limit, o.Kind, o.Name),
			fmt.Sprintf("all inline policies together have %d characters, white space not counted", total))
	}
	return s.update(ctx, func(tx *store.Tx) {
		resource.InlinePolicies.Put(tx, global, o.Key(*name), &resource.InlinePolicy{Owner: o, Name: *name, Document: *document})
	})
}

func (s *Service) getInline(ctx context.Context, o resource.Owner, name *string) (*resource.InlinePolicy, error) {
	p, ok := resource.InlinePolicies.Get(s.read(ctx), global, o.Key(deref(name)))
	if !ok {
		return nil, noSuch("The %s policy with name %s cannot be found.", o.Kind, deref(name))
	}
	return p, nil
}

func (s *Service) deleteInline(ctx context.Context, o resource.Owner, name *string) error {
	if _, err := s.getInline(ctx, o, name); err != nil {
		return err
	}
	return s.update(ctx, func(tx *store.Tx) { resource.InlinePolicies.Delete(tx, global, o.Key(*name)) })
}

func (s *Service) listInline(ctx context.Context, o resource.Owner) []string {
	var out []string
	for _, p := range inlineOf(s.read(ctx), o) {
		out = append(out, p.Name)
	}
	return out
}

func (s *Service) attach(ctx context.Context, o resource.Owner, policyARN *string) error {
	r := s.read(ctx)
	if err := checkPolicyARN(r, "PolicyArn", deref(policyARN)); err != nil {
		return err
	}
	all := attachedTo(r, o)
	if slices.Contains(all, *policyARN) {
		return nil
	}
	if len(all) >= maxAttached {
		kind := strings.ToUpper(o.Kind[:1]) + o.Kind[1:]
		return refuse(iam.ErrCodeLimitExceeded, "PolicyArn", fmt.Sprintf("Cannot exceed quota for PoliciesPer%s: %d", kind, maxAttached))
	}
	return s.update(ctx, func(tx *store.Tx) {
		resource.Attachments.Put(tx, global, o.Key(*policyARN), &resource.Attachment{Owner: o, PolicyARN: *policyARN})
	})
}

func (s *Service) detach(ctx context.Context, o resource.Owner, policyARN *string) error {
	if _, ok := resource.Attachments.Get(s.read(ctx), global, o.Key(deref(policyARN))); !ok {
		return noSuch("Policy %s was not found.", deref(policyARN))
	}
	return s.update(ctx, func(tx *store.Tx) { resource.Attachments.Delete(tx, global, o.Key(*policyARN)) })
}

func (s *Service) listAttached(ctx context.Context, o resource.Owner, prefix *string) []*iam.AttachedPolicy {
	var out []*iam.AttachedPolicy
	for _, a := range attachedTo(s.read(ctx), o) {
		_, path, _ := strings.Cut(a, ":policy")
		i := strings.LastIndexByte(path, '/')
		if strings.HasPrefix(path[:i+1], deref(prefix)) {
			out = append(out, &iam.AttachedPolicy{PolicyName: new(path[i+1:]), PolicyArn: new(a)})
		}
	}
	return out
}

func self(s string) string { return s }

func attachedARN(a *iam.AttachedPolicy) string { return *a.PolicyArn }
