package main

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/vmware/govmomi/simulator"
)

// control is the port of the judges. Requests and answers are JSON; README.md lists them.
type control struct {
	estate   *estate
	front    *front
	shutdown func()
}

// order names a machine, by name or reference, and what to do with it.
type order struct {
	Name       string `json:"name"`
	To         string `json:"to"`
	Annotation string `json:"annotation"`
	State      string `json:"state"`
}

func (c *control) handler() http.Handler {
	e := c.estate
	mux := http.NewServeMux()
	mux.HandleFunc("GET /inventory", answering(func(none) (any, error) { return e.inventory(), nil }))
	mux.HandleFunc("GET /counters", answering(func(none) (any, error) { return c.front.totals(e.late.failed()), nil }))
	mux.HandleFunc("DELETE /counters", answering(func(none) (any, error) {
		c.front.reset()
		e.late.forget()
		return none{}, nil
	}))

	mux.HandleFunc("GET /faults", answering(func(none) (any, error) { return e.service.GetFaultStats(), nil }))
	mux.HandleFunc("POST /faults", answering(c.addFault))
	mux.HandleFunc("DELETE /faults", answering(func(none) (any, error) {
		e.service.FaultInjector().ClearRules()
		e.late.ClearRules()
		c.front.clearLosses()
		return none{}, nil
	}))
	mux.HandleFunc("POST /losses", answering(func(l loss) (any, error) { c.front.lose(l); return none{}, nil }))
	mux.HandleFunc("POST /delays", answering(c.setDelays))
	mux.HandleFunc("POST /habits", answering(func(h Habit) (any, error) { e.guests.addHabit(h); return none{}, nil }))
	mux.HandleFunc("POST /pool", answering(func(f poolFigures) (any, error) { e.setPool(f); return none{}, nil }))
	mux.HandleFunc("POST /privileges", answering(func(denied []string) (any, error) {
		e.privileges.deny(denied)
		e.sight.set(slices.Contains(denied, readPrivilege))
		return e.privileges.list(), nil
	}))
	mux.HandleFunc("POST /foreign", answering(func(count int) (any, error) { return none{}, e.addForeign(count) }))
	mux.HandleFunc("DELETE /sessions", answering(func(none) (any, error) { return e.endSessions(), nil }))

	mux.HandleFunc("POST /poweron", c.act(func(vm *simulator.VirtualMachine, _ order) error { return e.powerOn(vm) }))
	mux.HandleFunc("POST /poweroff", c.act(func(vm *simulator.VirtualMachine, _ order) error { return e.powerOff(vm) }))
	mux.HandleFunc("POST /destroy", c.act(func(vm *simulator.VirtualMachine, _ order) error { return e.destroy(vm) }))
	mux.HandleFunc("POST /rename", c.act(func(vm *simulator.VirtualMachine, o order) error { return e.rename(vm, o.To) }))
	mux.HandleFunc("POST /annotate", c.act(func(vm *simulator.VirtualMachine, o order) error {
		return e.annotate(vm, o.Annotation)
	}))
	mux.HandleFunc("POST /connection", c.act(func(vm *simulator.VirtualMachine, o order) error {
		return e.connect(vm, o.State)
	}))
	mux.HandleFunc("POST /shutdown", answering(func(none) (any, error) {
		time.AfterFunc(50*time.Millisecond, c.shutdown)
		return none{}, nil
	}))
	return mux
}

type none struct{}

// answering makes a handler of a function: body to argument, result to body, an error to 400.
func answering[A any](f func(A) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var argument A
		w.Header().Set("Content-Type", "application/json")
		if r.ContentLength != 0 {
			if err := json.NewDecoder(r.Body).Decode(&argument); err != nil {
				refuse(w, err)
				return
			}
		}
		result, err := f(argument)
		if err != nil {
			refuse(w, err)
			return
		}
		_ = json.NewEncoder(w).Encode(result)
	}
}

func refuse(w http.ResponseWriter, err error) {
	w.WriteHeader(http.StatusBadRequest)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": err.Error()})
}

func (c *control) act(f func(*simulator.VirtualMachine, order) error) http.HandlerFunc {
	return answering(func(o order) (any, error) {
		vm, err := c.estate.machine(o.Name)
		if err != nil {
			return nil, err
		}
		return none{}, f(vm, o)
	})
}

func (c *control) addFault(r faultRule) (any, error) {
	rule, err := r.rule()
	if err != nil {
		return nil, err
	}
	if r.LateMs == 0 {
		c.estate.service.FaultInjector().AddRule(rule)
	} else {
		c.estate.late.AddRule(rule)
	}
	return none{}, nil
}

// setDelays takes milliseconds by method and replaces all delays.
func (c *control) setDelays(milliseconds map[string]int) (any, error) {
	delays := make(map[string]time.Duration)
	for method, ms := range milliseconds {
		delays[method] = time.Duration(ms) * time.Millisecond
	}
	c.front.setDelays(delays)
	return none{}, nil
}
