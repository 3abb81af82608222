package lambda

import (
	"testing"
	"time"
)

// A process that a function has left behind, out of its process group, writes without end: the function's answers and the
// end of its worker do not wait for it.
func TestOutputWithoutEnd(t *testing.T) {
	need(t, "python3", "yes")
	slow := func(LogLine) { time.Sleep(time.Microsecond) } // as a terminal is: the pipe never runs empty
	rt, _ := newRuntime(t, Options{Logs: slow})
	f, err := rt.Acquire(pythonSpec(`import subprocess
left = subprocess.Popen(["yes", "x" * 1000], start_new_session=True)
def handler(event, context):
    return "answered"
`))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 3 {
			if r, err := f.Invoke(t.Context(), Invocation{Payload: []byte("{}"), Tail: true}); err != nil || string(r.Payload) != `"answered"` {
				t.Errorf("%s, %v", r.Payload, err)
			}
		}
		f.Release()
		if err := rt.Close(); err != nil {
			t.Error(err)
		}
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("the function's output is still read")
	}
}
