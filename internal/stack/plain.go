package stack

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/resource"
)

// plain describes a type whose properties are the input of one create operation, as they are for most types.
type plain struct {
	service *awsapi.Service
	// handler picks the service's handler.
	handler           func(*Services) any
	required, replace []string
	spelling          spelling
	// create, update and delete are names of operations; without update every change replaces the resource.
	create, update, delete string
	// describe is the operation whose answer has the ETag that update and delete want; "" when they want none.
	describe string
	// key is the member of the inputs of describe, update and delete that names the resource.
	key string
	// result is the member of create's and update's output that has ref and attributes, "" for the output itself.
	result string
	// ref is the member that Ref returns; attributes gives for each attribute the member that it returns.
	ref        string
	attributes map[string]string
	// reference is the path of the caller reference in create's input; it is set where the input has one.
	reference string
	// name is the member and property of the resource's name; without the property one is made, at most nameLimit long.
	name      string
	nameLimit int
	// lowerName makes the generated name lower case.
	lowerName bool
	// complete fills in what templates may leave out and the inputs of create and update want; it may be nil.
	complete func(in any)
}

// resourceType makes the type.
func (p plain) resourceType() *resourceType {
	t := &resourceType{required: p.required, replace: p.replace, spelling: p.spelling}
	t.create = func(ctx context.Context, r *request) (made, error) {
		in, err := p.input(r, p.create)
		if err != nil {
			return made{}, err
		}
		if ref := member(in, p.reference); p.reference != "" && ref.IsValid() && ref.IsNil() { // PublicKey writes its own
			setText(ref, *r.reference())
		}
		out, err := p.call(ctx, r.Services, p.create, in)
		if err != nil {
			return made{}, err
		}
		return p.made(out), nil
	}
	if p.update != "" {
		t.update = func(ctx context.Context, r *request, old resource.StackResource) (made, error) {
			in, err := p.input(r, p.update)
			if err != nil {
				return made{}, err
			}
			now, err := p.identify(ctx, r.Services, in, old)
			if err != nil {
				return made{}, err
			}
			if from, to := member(now, p.result+"."+p.reference), member(in, p.reference); p.reference != "" && from.IsValid() && to.IsValid() && to.IsNil() {
				to.Set(from)
			}
			out, err := p.call(ctx, r.Services, p.update, in)
			if err != nil {
				return made{}, err
			}
			return p.made(out), nil
		}
	}
	t.delete = func(ctx context.Context, s *Services, old resource.StackResource) error {
		in := reflect.ValueOf(p.service.Operation(p.delete).New())
		if _, err := p.identify(ctx, s, in, old); err != nil {
			return err
		}
		_, err := p.call(ctx, s, p.delete, in)
		return err
	}
	return t
}

// input makes an operation's input of the properties.
func (p plain) input(r *request, operation string) (reflect.Value, error) {
	op := p.service.Operation(operation)
	in := reflect.ValueOf(op.New())
	if err := r.into(in.Interface(), op.Input); err != nil {
		return in, err
	}
	if p.name != "" {
		name := r.name(p.name, p.nameLimit)
		if p.lowerName {
			name = strings.ToLower(name)
		}
		setText(member(in, p.name), name)
	}
	if p.complete != nil {
		p.complete(in.Interface())
	}
	return in, nil
}

func (p plain) call(ctx context.Context, s *Services, operation string, in reflect.Value) (reflect.Value, error) {
	op := p.service.Operation(operation)
	if err := awsapi.Validate(p.service, op, in.Interface()); err != nil {
		return reflect.Value{}, err
	}
	out, err := op.Call(ctx, p.handler(s), in.Interface())
	return reflect.ValueOf(out), err
}

// identify puts the resource's name, and where the API wants it its ETag, into the input of an update or delete. It returns
// what describe said.
func (p plain) identify(ctx context.Context, s *Services, in reflect.Value, old resource.StackResource) (reflect.Value, error) {
	setText(member(in, p.key), old.PhysicalID)
	if p.describe == "" {
		return reflect.Value{}, nil
	}
	describe := reflect.ValueOf(p.service.Operation(p.describe).New())
	setText(member(describe, p.key), old.PhysicalID)
	now, err := p.call(ctx, s, p.describe, describe)
	if err != nil {
		return now, err
	}
	member(in, "IfMatch").Set(member(now, "ETag"))
	return now, nil
}

func (p plain) made(out reflect.Value) made {
	if p.result != "" {
		out = member(out, p.result)
	}
	m := made{id: memberText(out, p.ref), attributes: map[string]string{}}
	for attribute, path := range p.attributes {
		m.attributes[attribute] = memberText(out, path)
	}
	return m
}

// member returns the field at a dotted path below a pointer to a struct; the zero Value when a part is not there.
func member(v reflect.Value, path string) reflect.Value {
	for part := range strings.SplitSeq(path, ".") {
		if v.Kind() == reflect.Pointer {
			v = v.Elem()
		}
		if v.Kind() != reflect.Struct {
			return reflect.Value{}
		}
		v = v.FieldByName(part)
	}
	return v
}

// memberText writes the scalar at a path as Fn::GetAtt shows it.
func memberText(v reflect.Value, path string) string {
	f := member(v, path)
	if !f.IsValid() || f.Kind() == reflect.Pointer && f.IsNil() {
		return ""
	}
	if f.Kind() == reflect.Pointer {
		f = f.Elem()
	}
	if t, ok := f.Interface().(time.Time); ok {
		return t.UTC().Format(time.RFC3339)
	}
	return fmt.Sprint(f.Interface())
}
