package http2

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"golang.org/x/net/http2"

	"github.com/foregate/foregate/internal/message"
)

// TestOrder: which DATA leaves when the client gives window for one frame after the other (rfc9218 10): by urgency, incremental
// streams by turns with the others of their urgency, others in the order of their requests; and as a PRIORITY_UPDATE says.
func TestOrder(t *testing.T) { synctest.Test(t, testOrder) }

func testOrder(t *testing.T) {
	const step = maxPayload // what one frame has
	h := message.HandlerFunc(func(context.Context, *message.Request) *message.Response {
		return &message.Response{Status: 200, ContentLength: 3 * step, Body: message.NewBytes(bytes.Repeat([]byte("x"), 3*step))}
	})
	r := newRaw(t, Options{Handler: h}).hello(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20})
	var got []uint32
	var open int
	// read takes frames until no more come without more window.
	read := func() {
		r.until(func(w string) bool {
			var id uint32
			if n, _ := fmt.Sscanf(w, "DATA %d", &id); n == 1 {
				got = append(got, id)
			}
			if strings.HasPrefix(w, "HEADERS") {
				open++
			}
			return w == "PING ack"
		})
	}
	settle := func() {
		synctest.Wait()
		_ = r.WritePing(false, [8]byte{})
		read()
	}
	ask := func(id uint32, priority string) {
		r.open(id, true, get("priority: "+priority)...)
		settle()
	}
	ask(1, "u=6") // takes three frames of the window that there is
	ask(3, "u=6") // begins with the rest of it, of less than a frame
	ask(5, "u=5") // from now on all wait
	ask(7, "u=2, i")
	ask(9, "u=2, i")
	ask(11, "u=4")
	ask(13, "u=4")
	ask(15, "u=1")
	got = got[:0]
	update := append(binary.BigEndian.AppendUint32(nil, 5), "u=0"...)
	_ = r.WriteRawFrame(0x10, 0, 0, update)
	for range 24 {
		_ = r.WriteWindowUpdate(0, step)
		settle()
	}
	want := []uint32{5, 15, 7, 9, 7, 9, 7, 9, 11, 13, 3} // in a row each
	if open != 8 || !slices.Equal(slices.Compact(slices.Clone(got)), want) {
		t.Errorf("%d answers, %v", open, got)
	}
}
