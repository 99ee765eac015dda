// Package ext stands in for the extension types of Traefik's dynamic configuration.
package ext

// HTTP holds no extension.
type HTTP struct{}

// Router holds no extension.
type Router struct{}
