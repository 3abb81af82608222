package compile

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/foregate/foregate/internal/function/lambda"
	"github.com/foregate/foregate/internal/gateway/rest"
	"github.com/foregate/foregate/internal/iam"
	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/origin"
)

// gatewayEffects is the world as REST APIs see it: one for each compilation, since functions and identities belong to it.
type gatewayEffects struct {
	env       *Env
	functions map[string]*function
	directory iam.Directory
}

func (c *compiler) gatewayEffects() *gatewayEffects {
	fx := &gatewayEffects{env: c.env, functions: c.functions, directory: c.directory}
	if fx.directory == nil {
		fx.directory = iam.DirectoryFunc(func(string) (*iam.Identity, bool) { return nil, false })
	}
	return fx
}

// Now is the time.
func (fx *gatewayEffects) Now() time.Time { return fx.env.Now() }

// NewID makes a random UUID.
func (fx *gatewayEffects) NewID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	var out [36]byte
	hex.Encode(out[:8], b[:4])
	hex.Encode(out[9:13], b[4:6])
	hex.Encode(out[14:18], b[6:8])
	hex.Encode(out[19:23], b[8:10])
	hex.Encode(out[24:], b[10:])
	out[8], out[13], out[18], out[23] = '-', '-', '-', '-'
	return string(out[:])
}

// Identities finds callers.
func (fx *gatewayEffects) Identities() iam.Directory { return fx.directory }

// Log passes a line of an access log on.
func (fx *gatewayEffects) Log(stageARN, line string) {
	if fx.env.AccessLog != nil {
		fx.env.AccessLog(stageARN, line)
	}
}

// Fetch sends a request of an HTTP integration to the host that it names.
func (fx *gatewayEffects) Fetch(ctx context.Context, b rest.Backend, r *message.Request) (*message.Response, error) {
	if fx.env.Origins == nil {
		return nil, &rest.FetchError{Problem: rest.FetchNetwork, Err: errors.New("there is no way to origins")}
	}
	host, port := r.Host, 0
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		n, err := strconv.Atoi(host[i+1:])
		if err != nil || n < 1 || n > 65535 {
			return nil, &rest.FetchError{Problem: rest.FetchAddress, Err: fmt.Errorf("port of %q is no number", r.Host)}
		}
		host, port = host[:i], n
	}
	t := origin.Target{Scheme: r.Scheme, Host: strings.ToLower(strings.Trim(host, "[]")), Port: port, ReadTimeout: b.Timeout}
	resp, err := fx.env.Origins.Fetch(ctx, t, r)
	if err == nil {
		return resp, nil
	}
	problem := rest.FetchNetwork
	switch origin.KindOf(err) {
	case origin.DNS, origin.BadRequest:
		problem = rest.FetchAddress
	case origin.ConnectTimeout, origin.ResponseTimeout:
		problem = rest.FetchTimeout
	case origin.Canceled:
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			problem = rest.FetchTimeout
		}
	}
	return nil, &rest.FetchError{Problem: problem, Err: err}
}

// InvokeLambda calls a function.
func (fx *gatewayEffects) InvokeLambda(ctx context.Context, c rest.Call) (rest.CallResult, error) {
	f := findFunction(fx.functions, c.Function.ARN)
	switch {
	case f == nil:
		return rest.CallResult{}, fmt.Errorf("invoke function %q: it does not exist", c.Function.ARN)
	case f.Function == nil:
		return rest.CallResult{}, fmt.Errorf("invoke function %q: %s", c.Function.ARN, f.Missing)
	}
	// An invocation may outlive the call, the caller's payload does not.
	inv := lambda.Invocation{Payload: bytes.Clone(c.Payload), ARN: c.Function.ARN, TraceID: c.TraceID, Trace: c.Trace}
	if c.Async {
		inv.Trace = nil
		go f.Invoke(context.WithoutCancel(ctx), inv)
		return rest.CallResult{}, nil
	}
	if c.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.Timeout)
		defer cancel()
	}
	res, err := f.Invoke(ctx, inv)
	if err != nil {
		return rest.CallResult{}, err
	}
	return rest.CallResult{Payload: res.Payload, FunctionError: res.FunctionError}, nil
}

// GatewayState keeps what stages of REST APIs count and cache from one compilation to the next. The zero value is ready.
type GatewayState struct {
	mu     sync.Mutex
	stages map[string]*rest.Stage
}

// previous returns the stages of the last compilation, by ARN.
func (s *GatewayState) previous() map[string]*rest.Stage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stages
}

func (s *GatewayState) keep(stages map[string]*rest.Stage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stages = stages
}

// findFunction returns the function that an ARN names; $LATEST is the function without a qualifier.
func findFunction(functions map[string]*function, name string) *function {
	if f := functions[name]; f != nil {
		return f
	}
	return functions[strings.TrimSuffix(name, ":$LATEST")]
}
