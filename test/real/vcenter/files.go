package main

import (
	"crypto/rand"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/vmware/govmomi/vim25/types"
)

const (
	guestFilePath = "/guestFile"
	offerLife     = 5 * time.Minute
)

// guestFolders are the folders that a guest has for itself, and where they are in its home.
var guestFolders = []struct{ guest, home string }{
	{"/tmp", "tmp"},
	{"/usr/local/bin", "bin"},
}

// open opens a guest file. A path outside the guest's own folders does not exist, nor does one that leads out of them.
func (p *programs) open(ref types.ManagedObjectReference, guestPath string) (*os.File, error) {
	p.mu.Lock()
	h := p.homes[ref]
	p.mu.Unlock()
	clean := path.Clean(guestPath)
	for _, folder := range guestFolders {
		inside, found := strings.CutPrefix(clean, folder.guest+"/")
		if h == nil || !found {
			continue
		}
		root, err := os.OpenRoot(filepath.Join(h.dir, folder.home))
		if err != nil {
			return nil, err
		}
		defer root.Close()
		return root.Open(inside)
	}
	return nil, fs.ErrNotExist
}

func (p *programs) stat(ref types.ManagedObjectReference, guestPath string) (fs.FileInfo, error) {
	file, err := p.open(ref, guestPath)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		return nil, fs.ErrNotExist
	}
	return info, err
}

// files hands out guest files to whoever brings the token of an offer.
type files struct {
	programs *programs
	scheme   string

	mu     sync.Mutex
	offers map[string]offer
}

type offer struct {
	machine types.ManagedObjectReference
	path    string
}

func newFiles(programs *programs, scheme string) *files {
	return &files{programs: programs, scheme: scheme, offers: make(map[string]offer)}
}

// offer answers an address of the file; `*` stands for the host that the client knows as vCenter.
func (f *files) offer(machine types.ManagedObjectReference, guestPath string) string {
	token := rand.Text()
	f.mu.Lock()
	f.offers[token] = offer{machine, guestPath}
	f.mu.Unlock()
	time.AfterFunc(offerLife, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.offers, token)
	})
	query := url.Values{"id": {machine.Value}, "token": {token}}
	return f.scheme + "://*" + guestFilePath + "?" + query.Encode()
}

func (f *files) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	offer, ok := f.offers[r.URL.Query().Get("token")]
	f.mu.Unlock()
	if !ok {
		http.Error(w, "no such transfer", http.StatusForbidden)
		return
	}
	file, err := f.programs.open(offer.machine, offer.path)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, "", info.ModTime(), file)
}
