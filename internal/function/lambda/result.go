package lambda

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// errorPayload is the form of the errors that Lambda itself reports.
type errorPayload struct {
	Type    string `json:"errorType"`
	Message string `json:"errorMessage"`
}

func platformError(kind, message string) []byte {
	b, err := json.Marshal(errorPayload{kind, message})
	if err != nil {
		return []byte("{}")
	}
	return b
}

// timedOut returns the payload and the log line of an invocation beyond its timeout. The payload is today's
// (seek-oss/aws-codedeploy-hooks, changelog); until about 2024 it was {"errorMessage":"<time> <id> Task timed out after
// 3.00 seconds"} (alexcasalboni/aws-lambda-power-tuning#151), which is still the form of the log line.
func timedOut(request string, limit time.Duration, now time.Time) (payload []byte, line string) {
	text := fmt.Sprintf("Task timed out after %.2f seconds", limit.Seconds())
	return platformError("Sandbox.Timedout", "RequestId: "+request+" Error: "+text),
		now.UTC().Format("2006-01-02T15:04:05.000Z") + " " + request + " " + text
}

// exited returns the payload and the log line of an invocation whose process ended (aws-cloudformation/cloudformation-guard,
// guard-lambda README; cargo-lambda/cargo-lambda#572 for status 0).
func exited(request string, state *os.ProcessState) (payload []byte, line string) {
	reason := "Runtime exited without providing a reason"
	if state != nil && !state.Success() {
		reason = "Runtime exited with error: exit status " + strconv.Itoa(state.ExitCode())
		if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
			reason = "Runtime exited with error: signal: " + ws.Signal().String()
		}
	}
	text := "RequestId: " + request + " Error: " + reason
	return platformError("Runtime.ExitError", text), text
}

// report is what the REPORT line needs beyond the result.
type report struct {
	status string
	usedMB int
	init   bool
}

// logTail puts the platform's lines around a function's output and returns the last 4 KB.
func (p *pool) logTail(r *Result, output []byte, platform string, rep report) string {
	var b bytes.Buffer
	if rep.init {
		b.Write(output)
		endLine(&b)
		fmt.Fprintf(&b, "INIT_REPORT Init Duration: %s ms\tPhase: init%s\n", millis(r.InitDuration), rep.status)
	}
	fmt.Fprintf(&b, "START RequestId: %s Version: %s\n", r.RequestID, r.Version)
	if !rep.init {
		b.Write(output)
		endLine(&b)
	}
	if platform != "" {
		b.WriteString(platform)
		b.WriteByte('\n')
		if strings.HasSuffix(rep.status, "Runtime.ExitError") {
			b.WriteString("Runtime.ExitError\n")
		} else {
			b.WriteByte('\n')
		}
	}
	fmt.Fprintf(&b, "END RequestId: %s\n", r.RequestID)
	used := rep.usedMB
	if used == 0 {
		used = p.spec.MemoryMB
	}
	// Since August 2025 the time of the init phase is billed too.
	billed := (r.Duration + r.InitDuration + time.Millisecond - 1) / time.Millisecond
	fmt.Fprintf(&b, "REPORT RequestId: %s\tDuration: %s ms\tBilled Duration: %d ms\tMemory Size: %d MB\tMax Memory Used: %d MB\t",
		r.RequestID, millis(r.Duration), billed, p.spec.MemoryMB, used)
	if r.InitDuration > 0 && !rep.init {
		fmt.Fprintf(&b, "Init Duration: %s ms\t", millis(r.InitDuration))
	}
	b.WriteString(strings.TrimPrefix(rep.status, "\t"))
	b.WriteByte('\n')
	text := b.Bytes()
	return string(text[max(0, len(text)-tailSize):])
}

func endLine(b *bytes.Buffer) {
	if n := b.Len(); n > 0 && b.Bytes()[n-1] != '\n' {
		b.WriteByte('\n')
	}
}

func millis(d time.Duration) string { return strconv.FormatFloat(d.Seconds()*1000, 'f', 2, 64) }

// memoryUsed returns the most memory that a process has had, in MB; 0 when this machine does not say (proc(5), VmHWM).
func memoryUsed(pid int) int {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kb, err := strconv.Atoi(fields[0])
	if err != nil {
		return 0
	}
	return (kb + 1023) / 1024
}
