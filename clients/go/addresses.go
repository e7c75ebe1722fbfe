package safefile

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"google.golang.org/grpc/resolver"
)

const addressScheme = "safefile"

// addresses hands a fixed list to gRPC, whose pick_first takes the first that answers and the next when it is gone.
type addresses []string

func parseAddresses(text string) (addresses, error) {
	var found addresses
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		if _, _, err := net.SplitHostPort(part); err != nil {
			return nil, fmt.Errorf("safefile: %q is not host:port: %w", part, err)
		}
		found = append(found, part)
	}
	if len(found) == 0 {
		return nil, errors.New("safefile: an address is needed")
	}
	return found, nil
}

func (a addresses) Scheme() string { return addressScheme }

func (a addresses) Build(
	_ resolver.Target, conn resolver.ClientConn, _ resolver.BuildOptions,
) (resolver.Resolver, error) {
	var state resolver.State
	for _, address := range a {
		// The name of a host is looked up when it is dialled, and is what its certificate must be for.
		found := resolver.Address{Addr: address, ServerName: address}
		state.Endpoints = append(state.Endpoints, resolver.Endpoint{Addresses: []resolver.Address{found}})
	}
	if err := conn.UpdateState(state); err != nil {
		return nil, err
	}
	return a, nil
}

// OverrideAuthority is what requests name as their host: without it, it would be the text of the target.
func (a addresses) OverrideAuthority(resolver.Target) string { return a[0] }

func (a addresses) ResolveNow(resolver.ResolveNowOptions) {}
func (a addresses) Close()                                {}
