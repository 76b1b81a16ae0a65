package main

import (
	"bytes"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// front serves the vCenter's address: it counts calls and bytes, delays methods and loses answers, and leaves the rest to the
// simulator. Bytes are those of the bodies.
type front struct {
	next http.Handler

	mu     sync.Mutex
	calls  map[string]*traffic
	delays map[string]time.Duration
	losses []*loss
}

// traffic of one method since the start or the last reset.
type traffic struct {
	Count  int `json:"count"`
	Faults int `json:"faults"`
	// Failed is how many were accepted and failed late, because a rule said so.
	Failed   int   `json:"failed"`
	BytesIn  int64 `json:"bytes_in"`
	BytesOut int64 `json:"bytes_out"`
}

// loss cuts the connection of a matching call: before it is carried out, or after, with the answer lost.
type loss struct {
	Method string `json:"method"`
	// Containing is text that the request contains, e.g. a machine's name.
	Containing string `json:"containing"`
	Before     bool   `json:"before"`
	// Times is how often; 0 is once.
	Times int `json:"times"`
}

func newFront(next http.Handler) *front {
	f := &front{next: next}
	f.reset()
	return f
}

func (f *front) reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = make(map[string]*traffic)
}

// totals answers the traffic by method, given how many calls of each failed late.
func (f *front) totals(failed map[string]int) map[string]traffic {
	f.mu.Lock()
	defer f.mu.Unlock()
	result := make(map[string]traffic, len(f.calls))
	for method, t := range f.calls {
		total := *t
		total.Failed = failed[method]
		result[method] = total
	}
	return result
}

func (f *front) setDelays(delays map[string]time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.delays = delays
}

func (f *front) lose(l loss) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l.Times = max(l.Times, 1)
	f.losses = append(f.losses, &l)
}

func (f *front) clearLosses() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.losses = nil
}

// takeLoss answers the loss that this call suffers, and uses it up by one.
func (f *front) takeLoss(method, body string) *loss {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, l := range f.losses {
		if l.Times > 0 && l.Method == method && strings.Contains(body, l.Containing) {
			l.Times--
			return l
		}
	}
	return nil
}

func (f *front) count(method string, in, out int, fault bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := f.calls[method]
	if t == nil {
		t = new(traffic)
		f.calls[method] = t
	}
	t.Count++
	t.BytesIn += int64(in)
	t.BytesOut += int64(out)
	if fault {
		t.Faults++
	}
}

var methodPattern = regexp.MustCompile(`<(?:[\w.-]+:)?Body[^>]*>\s*<(?:[\w.-]+:)?(\w+)`)

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		f.next.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	method := "?"
	if match := methodPattern.FindSubmatch(body); match != nil {
		method = string(match[1])
	}
	f.wait(r, method)
	lost := f.takeLoss(method, string(body))
	if lost != nil && lost.Before {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	answer := &answer{header: w.Header(), status: http.StatusOK}
	f.next.ServeHTTP(answer, r)
	f.count(method, len(body), answer.body.Len(), answer.status >= http.StatusInternalServerError)
	if lost != nil {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(answer.body.Len()))
	w.WriteHeader(answer.status)
	_, _ = answer.body.WriteTo(w)
}

func (f *front) wait(r *http.Request, method string) {
	f.mu.Lock()
	delay := f.delays[method]
	f.mu.Unlock()
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-r.Context().Done():
		}
	}
}

// answer holds a response back until it is known whether it is to be lost.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header               { return a.header }
func (a *answer) WriteHeader(status int)            { a.status = status }
func (a *answer) Write(content []byte) (int, error) { return a.body.Write(content) }
