package cloudformation

import (
	"fmt"
	"math/big"
	"net/netip"
)

// cidrBlocks cuts count networks with bits host bits each out of block, from its start ([CFN23] Fn::Cidr: count is 1 to 256).
func cidrBlocks(block string, count, bits int) ([]string, error) {
	p, err := netip.ParsePrefix(block)
	if err != nil {
		return nil, fmt.Errorf("%q is no CIDR block", block)
	}
	p = p.Masked()
	size := p.Addr().BitLen()
	switch {
	case count < 1 || count > 256:
		return nil, fmt.Errorf("count %d is not between 1 and 256", count)
	case bits < 1 || bits >= size:
		return nil, fmt.Errorf("cidrBits %d is not between 1 and %d", bits, size-1)
	case size-bits < p.Bits():
		return nil, fmt.Errorf("a block with %d host bits does not fit in %s", bits, p)
	}
	if room := size - bits - p.Bits(); room < 9 && count > 1<<room {
		return nil, fmt.Errorf("%s has room for %d blocks with %d host bits, not for %d", p, 1<<room, bits, count)
	}
	base := new(big.Int).SetBytes(p.Addr().AsSlice())
	step := new(big.Int).Lsh(big.NewInt(1), uint(bits))
	out := make([]string, 0, count)
	for range count {
		raw := base.FillBytes(make([]byte, size/8))
		addr, _ := netip.AddrFromSlice(raw)
		out = append(out, netip.PrefixFrom(addr, size-bits).String())
		base.Add(base, step)
	}
	return out, nil
}
