package compile

import (
	"crypto"
	"fmt"

	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/edge"
	"github.com/foregate/foregate/internal/edge/signed"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

// signers collects the public keys that a behavior trusts. Key groups are what counts here: the key pairs of AWS accounts, which
// TrustedSigners is about, are made by root users in AWS's console, no API makes them, and so there are none.
func (d *distributionCompiler) signers(rec *store.Record, out *edge.Behavior, b behaviorInput) {
	groups := b.TrustedKeyGroups != nil && len(b.TrustedKeyGroups.Items) > 0
	accounts := b.TrustedSigners != nil && len(b.TrustedSigners.Items) > 0
	if !groups && !accounts {
		return
	}
	keys := map[string]crypto.PublicKey{}
	if accounts {
		out.Source.TrustedSigners = d.path(rec, b.path+".TrustedSigners")
		d.behaviorNote(rec, out, b.path+".TrustedSigners", "TrustedSigners",
			"the key pairs of AWS accounts are made in AWS's console and there are none here: what is signed with one gets 403 Unknown Key; use TrustedKeyGroups")
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
