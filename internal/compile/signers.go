package compile

import (
	"crypto"
	"fmt"
	"maps"
	"slices"

	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/edge"
	"github.com/foregate/foregate/internal/edge/signed"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

// signers collects the public keys that a behavior trusts: those of key groups, and the key pairs of AWS accounts, which
// TrustedSigners is about. Root users make the latter in AWS's console, no API does; the operator may name those of the node's
// account, other accounts have none.
func (d *distributionCompiler) signers(rec *store.Record, out *edge.Behavior, b behaviorInput) {
	groups := b.TrustedKeyGroups != nil && len(b.TrustedKeyGroups.Items) > 0
	accounts := b.TrustedSigners != nil && len(b.TrustedSigners.Items) > 0
	if !groups && !accounts {
		return
	}
	keys := map[string]crypto.PublicKey{}
	if accounts {
		out.Source.TrustedSigners = d.path(rec, b.path+".TrustedSigners")
		own := func(account string) bool { return account == "self" || account == d.env.Account }
		if slices.ContainsFunc(b.TrustedSigners.Items, own) {
			maps.Copy(keys, d.env.KeyPairs)
		}
		if len(d.env.KeyPairs) == 0 || slices.ContainsFunc(b.TrustedSigners.Items, func(account string) bool { return !own(account) }) {
			d.behaviorNote(rec, out, b.path+".TrustedSigners", "TrustedSigners",
				"key pairs of AWS accounts are made in AWS's console, and here are only those of the own account that --key-pair names: what another is signed with gets 403 Unknown Key; use TrustedKeyGroups, or --key-pair")
		}
	}
	if groups {
		out.Source.TrustedSigners = d.path(rec, b.path+".TrustedKeyGroups")
		for _, id := range b.TrustedKeyGroups.Items {
			if g, ok := resource.KeyGroups.Get(d.view, resource.Global, id); ok { // the service has checked it
				d.keysOf(g, keys)
			}
		}
	}
	out.Signers = signed.NewKeys(keys, d.env.Signatures)
}

func (d *distributionCompiler) keysOf(g *resource.KeyGroup, keys map[string]crypto.PublicKey) {
	for _, id := range g.Config.Items {
		k, ok := resource.PublicKeys.Get(d.view, resource.Global, id)
		if !ok {
			continue
		}
		key, err := signed.ParseKey(deref(k.Config.EncodedKey))
		if err != nil { // the service has checked it
			d.report(diag.Finding{Code: diag.InvalidTemplate, Severity: diag.Error, Path: d.path(resource.PublicKeys.Record(d.view, resource.Global, id), "PublicKeyConfig.EncodedKey"),
				Message: fmt.Sprintf("the public key %s cannot verify signatures: %v", id, err)})
			continue
		}
		keys[id] = key
	}
}
