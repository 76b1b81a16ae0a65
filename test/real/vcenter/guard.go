package main

import (
	"fmt"
	"net"
	"net/http"
)

// onLoopback says whether only this computer reaches an address to listen on. A name may come to mean anything, so it is a number.
func onLoopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("-control %s: who reaches the control port changes the machines; give a loopback address such as 127.0.0.1:0", address)
	}
	return nil
}

// guard lets those to the control port who know its key: it is the first part of each path, and stands nowhere but in the line that the
// program prints. What a web page may have sent is refused whatever its path: it has an Origin, or another name of this computer as Host.
func guard(key string, next http.Handler) http.Handler {
	known := http.StripPrefix("/"+key, next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		ip := net.ParseIP(host)
		if r.Header.Get("Origin") != "" || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			http.Error(w, "the control port is not for web pages, and is asked by its loopback address", http.StatusForbidden)
			return
		}
		known.ServeHTTP(w, r)
	})
}
