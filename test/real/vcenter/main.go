// Command vcenter is VMware's own vCenter simulator (the `simulator` package of govmomi) as a judge of Rookery, with what it lacks
// of a real vCenter added from outside. README.md says what that is and how the control port is used.
package main

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/google/uuid"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == guestInit {
		runGuestInit()
		return
	}
	o, err := parseOptions(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil {
		err = run(o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "vcenter:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	s, err := start(o)
	if err != nil {
		return err
	}
	defer s.close()
	_ = json.NewEncoder(os.Stdout).Encode(s.ready())

	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	if o.dieWithParent {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			s.shutdown()
		}()
	}
	select {
	case <-signals:
	case <-s.done:
	}
	return nil
}

// server is an estate behind its two ports.
type server struct {
	estate   *estate
	front    *front
	identity *identity
	vcenter  net.Listener
	control  net.Listener
	key      string
	shutdown func()
	done     chan struct{}
}

func start(o options) (*server, error) {
	e, err := newEstate(o)
	if err != nil {
		return nil, err
	}
	s := &server{estate: e, front: newFront(e.service.ServeMux), key: uuid.NewString(), done: make(chan struct{})}
	s.shutdown = sync.OnceFunc(func() { close(s.done) })
	if s.vcenter, err = net.Listen("tcp", o.listen); err != nil {
		e.close()
		return nil, err
	}
	if s.control, err = net.Listen("tcp", o.control); err != nil {
		_ = s.vcenter.Close()
		e.close()
		return nil, err
	}
	if o.tls {
		if s.identity, err = newIdentity(); err != nil {
			s.close()
			return nil, err
		}
		s.vcenter = tls.NewListener(s.vcenter, &tls.Config{Certificates: []tls.Certificate{s.identity.certificate}})
	}
	c := &control{estate: e, front: s.front, shutdown: s.shutdown}
	go func() { _ = http.Serve(s.vcenter, s.front) }()
	go func() { _ = http.Serve(s.control, guard(s.key, c.handler())) }()
	return s, nil
}

// readiness is the one line that the program prints.
type readiness struct {
	URL     string `json:"url"`
	Control string `json:"control"`
	PEM     string `json:"pem,omitempty"`
	SHA1    string `json:"sha1,omitempty"`
	SHA256  string `json:"sha256,omitempty"`
}

func (s *server) ready() readiness {
	r := readiness{
		URL:     "http://" + s.vcenter.Addr().String() + "/sdk",
		Control: "http://" + s.control.Addr().String() + "/" + s.key,
	}
	if s.identity != nil {
		r.URL = "https://" + s.vcenter.Addr().String() + "/sdk"
		r.PEM, r.SHA1, r.SHA256 = s.identity.pem, s.identity.sha1, s.identity.sha256
	}
	return r
}

func (s *server) close() {
	_ = s.vcenter.Close()
	_ = s.control.Close()
	s.estate.close()
}
