package app

import "testing"

func TestGarbagePercent(t *testing.T) {
	before := uint64(0)
	for live := uint64(1 << 20); live < 1<<40; live += live / 7 {
		p := garbagePercent(live)
		if p < leastPercent || p > 100 {
			t.Fatalf("%d bytes: %d %%", live, p)
		}
		room := live * uint64(p) / 100
		if live > garbageRoom && (room < garbageRoom*95/100 || room > max(garbageRoom, live/4)) {
			t.Errorf("%d bytes live: room for %d", live, room)
		}
		if p < leastPercent || room+live/100 < before {
			t.Errorf("%d bytes live: room for %d, less than with fewer", live, room)
		}
		before = room
	}
}
