// Package geotest writes small databases in MaxMind's format, for tests.
//
// Start with Write. It writes records of 32 bits, and no value is stored twice. It must not be used outside of tests.
package geotest

import (
	"encoding/binary"
	"math"
	"net/netip"
	"slices"
)

// Map is a record, or a part of one. Values are strings, uint32, float64, []any and Map.
type Map map[string]any

// Entry places a record at a network.
type Entry struct {
	Network string
	Record  Map
}

// Write returns a database of a type such as "GeoLite2-City" (maxmind.github.io/MaxMind-DB). IPv4 networks are put under ::/96.
func Write(kind string, entries ...Entry) []byte {
	t := &tree{nodes: [][2]uint32{{}}}
	var data []byte
	type leaf struct {
		node uint32
		side int
		at   int
	}
	var leaves []leaf
	for _, e := range entries {
		p := netip.MustParsePrefix(e.Network)
		bits := p.Bits()
		raw := p.Addr().As16()
		if p.Addr().Is4() {
			four := p.Addr().As4()
			raw = [16]byte{}
			copy(raw[12:], four[:])
			bits += 96
		}
		node, side := t.reach(raw, bits)
		leaves = append(leaves, leaf{node, side, len(data)})
		data = append(data, encode(e.Record)...)
	}
	for _, l := range leaves {
		t.nodes[l.node][l.side] = uint32(len(t.nodes) + 16 + l.at)
	}
	var out []byte
	for _, n := range t.nodes {
		for _, r := range n {
			if r == 0 {
				r = uint32(len(t.nodes)) // nothing there
			}
			out = binary.BigEndian.AppendUint32(out, r)
		}
	}
	out = append(out, make([]byte, 16)...)
	out = append(out, data...)
	out = append(out, "\xab\xcd\xefMaxMind.com"...)
	return append(out, encode(Map{
		"binary_format_major_version": uint32(2), "binary_format_minor_version": uint32(0), "build_epoch": uint32(1700000000),
		"database_type": kind, "description": Map{"en": "test"}, "ip_version": uint32(6), "languages": []any{"en"},
		"node_count": uint32(len(t.nodes)), "record_size": uint32(32),
	})...)
}

type tree struct{ nodes [][2]uint32 }

// reach makes the way to the last bit of a network. Networks must not lie within each other.
func (t *tree) reach(raw [16]byte, bits int) (node uint32, side int) {
	for i := range bits {
		side = int(raw[i/8]>>(7-i%8)) & 1
		if i == bits-1 {
			break
		}
		if t.nodes[node][side] == 0 {
			t.nodes = append(t.nodes, [2]uint32{})
			t.nodes[node][side] = uint32(len(t.nodes) - 1)
		}
		node = t.nodes[node][side]
	}
	return node, side
}

func encode(v any) []byte {
	switch v := v.(type) {
	case string:
		return append(control(2, len(v)), v...)
	case float64:
		return binary.BigEndian.AppendUint64(control(3, 8), math.Float64bits(v))
	case uint32:
		return binary.BigEndian.AppendUint32(control(6, 4), v)
	case []any:
		out := control(11, len(v))
		for _, e := range v {
			out = append(out, encode(e)...)
		}
		return out
	case Map:
		out := control(7, len(v))
		var keys []string
		for k := range v {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			out = append(append(out, encode(k)...), encode(v[k])...)
		}
		return out
	}
	panic("geotest: a value of another type")
}

// control is the control byte of a type and a size below 285.
func control(kind, size int) []byte {
	var out []byte
	short := min(size, 29)
	if kind > 7 {
		out = []byte{byte(short), byte(kind - 7)}
	} else {
		out = []byte{byte(kind<<5 | short)}
	}
	if size >= 29 {
		out = append(out, byte(size-29))
	}
	return out
}
