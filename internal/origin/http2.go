package origin

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/foregate/foregate/internal/http2"
	"github.com/foregate/foregate/internal/message"
)

// mostRefusals is how often a request that the origin has not touched is sent anew within one attempt.
const mostRefusals = 3

// tryHTTP2 is try for targets that want HTTP/2.
func (p *pool) tryHTTP2(ctx context.Context, t *Target, r *message.Request) (*message.Response, *Error) {
	call := http2.Call{
		ReadTimeout: max(t.ReadTimeout, 0), Completion: t.CompletionTimeout, KeepAlive: max(t.KeepAlive, time.Nanosecond),
		BodyError: func(err error) error { return p.failure(ctx, err) },
	}
	for refused := 1; ; refused++ {
		k, e := p.share(ctx, t)
		if e != nil {
			return nil, e
		}
		resp, err := k.RoundTrip(ctx, r, call)
		if err == nil {
			return resp, nil
		}
		if !errors.Is(err, http2.ErrUnprocessed) || refused == mostRefusals || ctx.Err() != nil {
			return nil, p.failure(ctx, err)
		}
	}
}

// share returns a connection with room for a request. Of those who need a new one, one makes it and the others wait for it.
func (p *pool) share(ctx context.Context, t *Target) (*http2.ClientConn, *Error) {
	for {
		p.mu.Lock()
		for _, k := range p.shared {
			if k.Reserve() {
				p.mu.Unlock()
				return k, nil
			}
		}
		switch wait := p.dialing; {
		case wait != nil:
			p.mu.Unlock()
			select {
			case <-wait:
			case <-ctx.Done():
				return nil, &Error{Kind: Canceled, Address: p.address, Err: context.Cause(ctx)}
			}
			continue
		case p.open >= p.c.o.MaxConns:
			p.mu.Unlock()
			return nil, &Error{Kind: Limit, Address: p.address, Err: errors.New("all connections to the origin are in use")}
		}
		p.open++
		done := make(chan struct{})
		p.dialing = done
		p.mu.Unlock()
		k, e := p.connectHTTP2(ctx, t)
		p.mu.Lock()
		p.dialing = nil
		close(done)
		if e != nil {
			p.open--
			p.mu.Unlock()
			return nil, e
		}
		p.shared = append(p.shared, k)
		room := k.Reserve()
		p.mu.Unlock()
		if !room { // it ended before left could have known it
			p.left(k)
			return nil, &Error{Kind: Closed, Address: p.address, Err: errors.New("the connection ended at once")}
		}
		return k, nil
	}
}

func (p *pool) connectHTTP2(ctx context.Context, t *Target) (*http2.ClientConn, *Error) {
	bounded, cancel := context.WithTimeout(ctx, t.ConnectTimeout)
	defer cancel()
	raw, absolute, err := p.dial(bounded, t)
	if err == nil && absolute {
		_ = raw.Close()
		err = errors.New("a forward proxy does not take HTTP/2 in clear")
	}
	if err != nil {
		return nil, p.dialFailure(ctx, err)
	}
	return http2.NewClientConn(raw, http2.ClientOptions{MaxHead: p.c.o.MaxHead, Gone: p.left}), nil
}

// left forgets a connection that takes no more requests.
func (p *pool) left(k *http2.ClientConn) {
	p.mu.Lock()
	i := slices.Index(p.shared, k)
	if i >= 0 {
		p.shared = slices.Delete(p.shared, i, i+1)
		p.open--
	}
	p.mu.Unlock()
	p.c.startSweep()
}
