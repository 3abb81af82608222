package keyvaluestore

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/awsapi"
	awscloudfront "github.com/foregate/foregate/internal/awsapi/cloudfront"
	api "github.com/foregate/foregate/internal/awsapi/cloudfrontkeyvaluestore"
	"github.com/foregate/foregate/internal/service"
	"github.com/foregate/foregate/internal/service/cloudfront"
	"github.com/foregate/foregate/internal/store"
)

var _ api.Handler = (*Service)(nil)

func newStore(t *testing.T) (*Service, *string) {
	t.Helper()
	now := func() time.Time { return time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC) }
	env := &service.Env{Store: store.Memory(now), Now: now, Account: "000000000000"}
	out, err := cloudfront.New(env, nil).CreateKeyValueStore(t.Context(), &awscloudfront.CreateKeyValueStoreInput{Name: new("routes")})
	if err != nil {
		t.Fatal(err)
	}
	return New(env), out.KeyValueStore.ARN
}

func TestKeys(t *testing.T) {
	s, arn := newStore(t)
	ctx := t.Context()
	d, err := s.DescribeKeyValueStore(ctx, &api.DescribeKeyValueStoreInput{KvsARN: arn})
	if err != nil || *d.ItemCount != 0 || *d.Status != "READY" {
		t.Fatalf("describe: %+v, %v", d, err)
	}
	put, err := s.PutKey(ctx, &api.PutKeyInput{KvsARN: arn, IfMatch: d.ETag, Key: new("a"), Value: new("1")})
	if err != nil || *put.ItemCount != 1 || *put.TotalSizeInBytes != 2 || *put.ETag == *d.ETag {
		t.Fatalf("put: %+v, %v", put, err)
	}
	if _, err := s.PutKey(ctx, &api.PutKeyInput{KvsARN: arn, IfMatch: d.ETag, Key: new("b"), Value: new("2")}); code(err) != "ConflictException" {
		t.Errorf("put with an old ETag: %v", err)
	}
	up, err := s.UpdateKeys(ctx, &api.UpdateKeysInput{KvsARN: arn, IfMatch: put.ETag,
		Puts:    []*api.PutKeyRequestListItem{{Key: new("c"), Value: new("3")}, {Key: new("b"), Value: new("2")}},
		Deletes: []*api.DeleteKeyRequestListItem{{Key: new("a")}}})
	if err != nil || *up.ItemCount != 2 {
		t.Fatalf("update: %+v, %v", up, err)
	}
	got, err := s.GetKey(ctx, &api.GetKeyInput{KvsARN: arn, Key: new("b")})
	if err != nil || *got.Value != "2" {
		t.Errorf("get: %+v, %v", got, err)
	}
	page, err := s.ListKeys(ctx, &api.ListKeysInput{KvsARN: arn, MaxResults: new(int64(1))})
	if err != nil || len(page.Items) != 1 || *page.Items[0].Key != "b" || page.NextToken == nil {
		t.Fatalf("first page: %+v, %v", page, err)
	}
	page, err = s.ListKeys(ctx, &api.ListKeysInput{KvsARN: arn, NextToken: page.NextToken})
	if err != nil || len(page.Items) != 1 || *page.Items[0].Key != "c" || page.NextToken != nil {
		t.Errorf("second page: %+v, %v", page, err)
	}
	if del, err := s.DeleteKey(ctx, &api.DeleteKeyInput{KvsARN: arn, IfMatch: up.ETag, Key: new("b")}); err != nil || *del.ItemCount != 1 {
		t.Errorf("delete: %+v, %v", del, err)
	}
}

func TestRefusals(t *testing.T) {
	tests := []struct {
		name, code string
		in         api.UpdateKeysInput
	}{
		{"long key", "ValidationException", api.UpdateKeysInput{Puts: []*api.PutKeyRequestListItem{{Key: new(strings.Repeat("k", 513)), Value: new("")}}}},
		{"long value", "ValidationException", api.UpdateKeysInput{Puts: []*api.PutKeyRequestListItem{{Key: new("k"), Value: new(strings.Repeat("v", 1025))}}}},
		{"missing key", "ResourceNotFoundException", api.UpdateKeysInput{Deletes: []*api.DeleteKeyRequestListItem{{Key: new("k")}}}},
		{"too many", "ValidationException", api.UpdateKeysInput{Puts: many(51)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, arn := newStore(t)
			d, err := s.DescribeKeyValueStore(t.Context(), &api.DescribeKeyValueStoreInput{KvsARN: arn})
			if err != nil {
				t.Fatal(err)
			}
			tt.in.KvsARN, tt.in.IfMatch = arn, d.ETag
			if _, err := s.UpdateKeys(t.Context(), &tt.in); code(err) != tt.code {
				t.Errorf("got %v, want %s", err, tt.code)
			}
		})
	}
	s, _ := newStore(t)
	if _, err := s.GetKey(t.Context(), &api.GetKeyInput{KvsARN: new("arn:aws:cloudfront::000000000000:key-value-store/none"), Key: new("a")}); code(err) != "ResourceNotFoundException" {
		t.Errorf("unknown store: %v", err)
	}
}

func many(n int) (out []*api.PutKeyRequestListItem) {
	for i := range n {
		out = append(out, &api.PutKeyRequestListItem{Key: new(strconv.Itoa(i)), Value: new("v")})
	}
	return out
}

func code(err error) string {
	var e *awsapi.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}
