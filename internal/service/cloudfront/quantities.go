package cloudfront

import (
	"fmt"
	"reflect"

	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/diag"
)

// quantities checks that every Quantity in v, a pointer to a configuration at path, is the number of the Items beside it. The
// text is AWS's (github laurilehmijoki/s3_website 191, Kinto/kinto-signer 253). A list without a Quantity is left to the
// model's check.
func quantities(v any, path string) error { return countItems(reflect.ValueOf(v), path) }

func countItems(v reflect.Value, path string) error {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			return countItems(v.Elem(), path)
		}
	case reflect.Slice:
		if e := v.Type().Elem(); e.Kind() != reflect.Pointer {
			return nil
		}
		for i := range v.Len() {
			if err := countItems(v.Index(i), indexed(path, i)); err != nil {
				return err
			}
		}
	case reflect.Struct:
		if err := countList(v, path); err != nil {
			return err
		}
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if !f.IsExported() {
				continue
			}
			if err := countItems(v.Field(i), path+"."+f.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

func countList(s reflect.Value, path string) error {
	q, items := s.FieldByName("Quantity"), s.FieldByName("Items")
	if !q.IsValid() || !items.IsValid() || items.Kind() != reflect.Slice || q.Kind() != reflect.Pointer || q.IsNil() {
		return nil
	}
	n := q.Elem().Int()
	if n == int64(items.Len()) {
		return nil
	}
	return refuse(cloudfront.ErrCodeInconsistentQuantities, path+".Quantity",
		fmt.Sprintf("The specified quantity of %s (%d) does not match the actual quantity supplied (%d).", lastName(path), n, items.Len()),
		diag.Finding{Fixes: []string{fmt.Sprintf("set Quantity to %d", items.Len())}})
}

// lastName is the name of the member that a path ends with, without an index.
func lastName(path string) string {
	end := len(path)
	for i := len(path) - 1; i >= 0; i-- {
		switch path[i] {
		case '[':
			end = i
		case '.':
			return path[i+1 : end]
		}
	}
	return path[:end]
}
