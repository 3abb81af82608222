package store

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

type thing struct{ Name string }

var things = NewKind[thing]("test", "thing")

func clock() time.Time { return time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC) }

func ids(r Reader, region string) string {
	var out []string
	for rec := range things.All(r, region) {
		out = append(out, rec.Key.ID)
	}
	return strings.Join(out, ",")
}

func TestUpdateIsAllOrNothing(t *testing.T) {
	s := Memory(clock)
	before := s.View()
	rev, err := s.Update(context.Background(), func(tx *Tx) error {
		things.Put(tx, "r", "b", &thing{"B"})
		things.Put(tx, "r", "a", &thing{"A"})
		if got := ids(tx, "r"); got != "a,b" {
			t.Errorf("the transaction sees %q of its own writes", got)
		}
		return nil
	})
	if err != nil || rev != 1 {
		t.Fatalf("Update: revision %d, %v", rev, err)
	}
	if ids(before, "r") != "" || ids(s.View(), "r") != "a,b" {
		t.Errorf("old view %q, new view %q", ids(before, "r"), ids(s.View(), "r"))
	}
	boom := errors.New("boom")
	rev, err = s.Update(context.Background(), func(tx *Tx) error {
		things.Delete(tx, "r", "a")
		things.Put(tx, "r2", "c", &thing{"C"})
		return boom
	})
	if err != boom || rev != 1 || ids(s.View(), "r") != "a,b" || ids(s.View(), "r2") != "" {
		t.Errorf("a failed update left something: revision %d, %v, %q, %q", rev, err, ids(s.View(), "r"), ids(s.View(), "r2"))
	}
}

func TestRewriteKeepsCreationAndSource(t *testing.T) {
	now := clock()
	s := Memory(func() time.Time { return now })
	src := Source{"stack", "Thing"}
	put := func(ctx context.Context) {
		if _, err := s.Update(ctx, func(tx *Tx) error { things.Put(tx, "", "x", &thing{}); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	put(WithSource(context.Background(), src))
	now = now.Add(time.Hour)
	for i, ctx := range []context.Context{context.Background(), WithSource(context.Background(), Source{"stack", "Other"})} {
		put(ctx)
		rec := things.Record(s.View(), "", "x")
		if rec.Source != src || !rec.Created.Equal(clock()) || !rec.Updated.Equal(now) || rec.Revision != uint64(i+2) {
			t.Errorf("record after a rewrite: %+v", rec)
		}
	}
}

func TestFileSurvives(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	s, err := Open(path, clock, things.Decoder())
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"a", "b", "with\x00zero"} {
		if _, err := s.Update(context.Background(), func(tx *Tx) error { things.Put(tx, "r", id, &thing{id}); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Update(context.Background(), func(tx *Tx) error { things.Delete(tx, "r", "a"); return nil }); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, err = Open(path, clock, things.Decoder())
	if err != nil {
		t.Fatal(err)
	}
	if got := ids(s.View(), "r"); got != "b,with\x00zero" || s.View().Revision() != 4 {
		t.Errorf("after a restart: %q at revision %d", got, s.View().Revision())
	}
	if v, ok := things.Get(s.View(), "r", "b"); !ok || v.Name != "b" {
		t.Errorf("value after a restart: %+v", v)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, clock); err == nil {
		t.Error("a record of an unknown kind was dropped in silence")
	}
}

func TestWatchNeverMissesTheLast(t *testing.T) {
	s := Memory(clock)
	ctx, cancel := context.WithCancel(context.Background())
	ch := s.Watch(ctx)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				s.Update(ctx, func(tx *Tx) error { things.Put(tx, "", "x", &thing{}); return nil })
			}
		})
	}
	wg.Wait()
	if got := <-ch; got != 200 {
		t.Errorf("the last revision seen is %d, want 200", got)
	}
	cancel()
	if _, open := <-ch; open {
		t.Error("the channel outlives its context")
	}
}

func TestEverywhere(t *testing.T) {
	s := Memory(clock)
	s.Update(context.Background(), func(tx *Tx) error {
		for _, region := range []string{"b", "a"} {
			things.Put(tx, region, "2", &thing{})
			things.Put(tx, region, "1", &thing{})
		}
		return nil
	})
	var got []string
	for rec := range things.Everywhere(s.View()) {
		got = append(got, rec.Key.Region+rec.Key.ID)
	}
	if strings.Join(got, " ") != "a1 a2 b1 b2" {
		t.Errorf("order %v", got)
	}
}

func TestBatch(t *testing.T) {
	s := Memory(clock)
	put := func(ctx context.Context, id string) error {
		_, err := s.Update(ctx, func(tx *Tx) error { things.Put(tx, "r", id, &thing{}); return nil })
		return err
	}
	ctx, b := s.Begin(context.Background())
	put(ctx, "a")
	put(ctx, "b")
	if _, err := s.Update(ctx, func(tx *Tx) error { things.Delete(tx, "r", "a"); return errors.New("no") }); err == nil {
		t.Error("a failing update of a batch succeeded")
	}
	if ids(s.Read(ctx), "r") != "a,b" || ids(s.View(), "r") != "" {
		t.Errorf("the batch sees %q, others see %q", ids(s.Read(ctx), "r"), ids(s.View(), "r"))
	}
	if rev, err := b.Commit(); err != nil || rev != 2 {
		t.Errorf("Commit: %d, %v", rev, err)
	}
	b.Discard()
	if ids(s.View(), "r") != "a,b" {
		t.Errorf("after Commit: %q", ids(s.View(), "r"))
	}
	ctx, b = s.Begin(context.Background())
	put(ctx, "c")
	b.Discard()
	if ids(s.View(), "r") != "a,b" || s.View().Revision() != 2 {
		t.Errorf("after Discard: %q at %d", ids(s.View(), "r"), s.View().Revision())
	}
	if err := put(ctx, "d"); err != nil || ids(s.View(), "r") != "a,b,d" {
		t.Errorf("an update under an ended batch goes to the store: %v, %q", err, ids(s.View(), "r"))
	}
}
