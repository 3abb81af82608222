package apigateway

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/apigateway"
)

// rules say what patch operations may change in values of type T (AWS's reference patch-operations.html).
type rules[T any] struct {
	shape string
	// allow lists for each operation the paths: /name, or /variables/* for entries of a map or list.
	allow map[string][]string
	// terse types answer "Invalid patch path /x" where others list what they know.
	terse bool
	// special handles paths that are no members; it returns false for those that it leaves to the rules.
	special func(v *T, op patch) (bool, error)
}

// patch is a patch operation with its path split.
type patch struct {
	op, path, value string
	hasValue        bool
	steps           []string
}

// apply returns a changed copy of v.
func (r *rules[T]) apply(v *T, ops []*apigateway.PatchOperation) (*T, error) {
	out := clone(v)
	shape := apigateway.Service.Shape(r.shape)
	for i, o := range ops {
		if o == nil || o.Path == nil {
			return nil, bad(patchPath(i), "Invalid patch path null")
		}
		p := patch{op: deref(o.Op), path: *o.Path, value: deref(o.Value), hasValue: o.Value != nil, steps: splitPointer(*o.Path)}
		if r.special != nil {
			if done, err := r.special(out, p); err != nil {
				return nil, err
			} else if done {
				continue
			}
		}
		if err := r.check(p, patchPath(i)); err != nil {
			return nil, err
		}
		if err := p.change(reflect.ValueOf(out).Elem(), shape, p.steps); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func patchPath(i int) string { return fmt.Sprintf("PatchOperations[%d]", i) }

// splitPointer splits a JSON pointer (rfc6901).
func splitPointer(path string) []string {
	steps := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i, s := range steps {
		steps[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(s)
	}
	return steps
}

// escapePointer writes one step of a JSON pointer.
func escapePointer(s string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(s) }

// check tells whether the operation is allowed at its path (texts: vectors apigateway/test_apigateway_api.snapshot.json).
func (r *rules[T]) check(p patch, at string) error {
	if matchPointer(r.allow[p.op], p.steps) {
		return nil
	}
	if !r.terse {
		if len(r.allow[p.op]) == 0 {
			return bad(at, fmt.Sprintf("Invalid patch path  '%s' specified for op '%s'. Please choose supported operations", p.path, p.op))
		}
		return bad(at, fmt.Sprintf("Invalid patch path  '%s' specified for op '%s'. Must be one of: [%s]", p.path, p.op, strings.Join(r.allow[p.op], ", ")))
	}
	if _, entry := r.known(p.steps); entry != "" && !strings.HasSuffix(entry, "/*") {
		return bad(at, "Invalid patch operation specified. Must be one of: [replace]")
	}
	return bad(at, "Invalid patch path "+p.path)
}

// known finds the operation under which a path is allowed.
func (r *rules[T]) known(steps []string) (op, entry string) {
	for _, op := range []string{"replace", "add", "remove"} {
		for _, a := range r.allow[op] {
			if matchPointer([]string{a}, steps) {
				return op, a
			}
		}
	}
	return "", ""
}

func matchPointer(allowed, steps []string) bool {
	return slices.ContainsFunc(allowed, func(a string) bool {
		want := strings.Split(strings.TrimPrefix(a, "/"), "/")
		if len(want) != len(steps) {
			return false
		}
		for i, w := range want {
			if w != "*" && w != steps[i] || steps[i] == "" {
				return false
			}
		}
		return true
	})
}

// change goes down to the member and changes it.
func (p patch) change(v reflect.Value, shape *awsapi.Shape, steps []string) error {
	m := wireMember(shape, steps[0])
	if m == nil {
		return bad("", "Invalid patch path "+p.path)
	}
	f, rest := v.Field(m.Field), steps[1:]
	switch m.Shape.Kind {
	case awsapi.Structure:
		if f.IsNil() {
			f.Set(reflect.New(f.Type().Elem()))
		}
		if len(rest) == 0 {
			if p.op == "remove" {
				f.SetZero()
				return nil
			}
			return bad("", "Invalid patch path "+p.path)
		}
		return p.change(f.Elem(), m.Shape, rest)
	case awsapi.List:
		return p.list(f, rest)
	case awsapi.Map:
		return p.entry(f, m.Shape, rest)
	}
	return p.scalar(f, m.Shape)
}

func wireMember(shape *awsapi.Shape, name string) *awsapi.Member {
	for _, m := range shape.Members {
		if m.Wire == name || m.Name == name {
			return m
		}
	}
	return nil
}

// list adds, removes or replaces an element, which is the last step of the path or the value.
func (p patch) list(f reflect.Value, rest []string) error {
	if f.Type().Elem().Kind() != reflect.String {
		return bad("", "Invalid patch path "+p.path)
	}
	items := slices.Clone(f.Interface().([]string))
	element := p.value
	if len(rest) > 0 {
		element = rest[0]
	}
	at := slices.Index(items, element)
	switch {
	case p.op == "remove" && at >= 0:
		items = slices.Delete(items, at, at+1)
	case p.op == "replace" && len(rest) == 0:
		items = strings.Split(p.value, ",")
	case p.op == "replace" && at >= 0:
		items[at] = p.value
	case p.op == "replace" && len(items) > 0 && f.Type() == reflect.TypeFor[[]string]():
		// AWS takes /endpointConfiguration/types/0 and binary media types by value alike.
		if n, err := strconv.Atoi(element); err == nil && n < len(items) {
			items[n] = p.value
		}
	case p.op == "add" && at < 0:
		items = append(items, element)
	}
	f.Set(reflect.ValueOf(items))
	return nil
}

// entry sets or removes the entry of a map.
func (p patch) entry(f reflect.Value, shape *awsapi.Shape, rest []string) error {
	if len(rest) == 0 {
		if p.op == "remove" {
			f.SetZero()
			return nil
		}
		return bad("", "Invalid patch path "+p.path)
	}
	key := reflect.ValueOf(strings.Join(rest, "/"))
	if p.op == "remove" {
		if f.Len() > 0 {
			f.SetMapIndex(key, reflect.Value{})
		}
		return nil
	}
	if f.IsNil() {
		f.Set(reflect.MakeMap(f.Type()))
	}
	e := reflect.New(f.Type().Elem()).Elem()
	if err := p.scalar(e, shape.Value); err != nil {
		return err
	}
	f.SetMapIndex(key, e)
	return nil
}

func (p patch) scalar(f reflect.Value, shape *awsapi.Shape) error {
	if p.op == "remove" || !p.hasValue {
		f.SetZero()
		return nil
	}
	var v reflect.Value
	switch shape.Kind {
	case awsapi.String:
		v = reflect.ValueOf(p.value)
	case awsapi.Boolean:
		v = reflect.ValueOf(strings.EqualFold(p.value, "true"))
	case awsapi.Integer, awsapi.Long:
		n, err := strconv.ParseInt(p.value, 10, 64)
		if err != nil {
			return bad("", "Invalid patch value  '"+p.value+"' specified for op '"+p.op+"'")
		}
		v = reflect.ValueOf(n)
	case awsapi.Float, awsapi.Double:
		n, err := strconv.ParseFloat(p.value, 64)
		if err != nil || !finite(n) {
			return bad("", "Invalid patch value  '"+p.value+"' specified for op '"+p.op+"'")
		}
		v = reflect.ValueOf(n)
	default:
		return bad("", "Invalid patch path "+p.path)
	}
	if f.Kind() == reflect.Pointer {
		ptr := reflect.New(f.Type().Elem())
		ptr.Elem().Set(v)
		v = ptr
	}
	f.Set(v)
	return nil
}

// finite tells numbers from NaN and infinity, which JSON does not have.
func finite(n float64) bool { return n-n == 0 }

// member changes the member of a method setting that the only step names.
func (p patch) member(v *apigateway.MethodSetting) error {
	return p.change(reflect.ValueOf(v).Elem(), apigateway.Service.Shape("MethodSetting"), p.steps)
}
