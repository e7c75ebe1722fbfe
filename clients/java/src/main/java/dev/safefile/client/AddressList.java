package dev.safefile.client;

import io.grpc.EquivalentAddressGroup;
import io.grpc.NameResolver;
import io.grpc.NameResolverProvider;
import io.grpc.Status;
import io.grpc.StatusOr;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Set;

/** Several host:port as one target: `safefile:///10.0.0.1:7420,10.0.0.2:7420`. They are tried in this order. */
final class AddressList extends NameResolverProvider {
    private static final String SCHEME = "safefile";

    static String target(List<String> addresses) {
        addresses.forEach(AddressList::parse);
        try {
            // It escapes the brackets of IPv6.
            return new URI(SCHEME, "", "/" + String.join(",", addresses), null).toString();
        } catch (URISyntaxException impossible) {
            throw new IllegalArgumentException(impossible);
        }
    }

    @Override
    public NameResolver newNameResolver(URI target, NameResolver.Args args) {
        if (!SCHEME.equals(target.getScheme())) return null;
        return new Resolver(Arrays.asList(target.getPath().substring(1).split(",")), args);
    }

    @Override
    public String getDefaultScheme() {
        return SCHEME;
    }

    @Override
    protected boolean isAvailable() {
        return true;
    }

    /** Below that of DNS: targets without a scheme are not ours. */
    @Override
    protected int priority() {
        return 4;
    }

    @Override
    public Collection<Class<? extends SocketAddress>> getProducedSocketAddressTypes() {
        return Set.of(InetSocketAddress.class);
    }

    private static InetSocketAddress parse(String address) {
        int colon = address.lastIndexOf(':');
        String host = colon < 0 ? "" : address.substring(0, colon);
        if (host.isEmpty() || !address.substring(colon + 1).matches("\\d{1,5}")) {
            throw new IllegalArgumentException("\"" + address + "\" is no host:port");
        }
        int port = Integer.parseInt(address.substring(colon + 1));
        return InetSocketAddress.createUnresolved(host.replaceAll("^\\[|\\]$", ""), port);
    }

    private static final class Resolver extends NameResolver {
        private final List<String> addresses;
        private final Args args;
        private Listener2 listener;

        Resolver(List<String> addresses, Args args) {
            this.addresses = addresses;
            this.args = args;
        }

        @Override
        public String getServiceAuthority() {
            return addresses.get(0);
        }

        @Override
        public void start(Listener2 started) {
            listener = started;
            refresh();
        }

        /** Names are looked up again whenever no address answers. */
        @Override
        public void refresh() {
            Runnable look = () -> {
                StatusOr<List<EquivalentAddressGroup>> found = look();
                ResolutionResult result =
                        ResolutionResult.newBuilder().setAddressesOrError(found).build();
                args.getSynchronizationContext().execute(() -> listener.onResult2(result));
            };
            if (args.getOffloadExecutor() == null) look.run();
            else args.getOffloadExecutor().execute(look);
        }

        @Override
        public void shutdown() {}

        /** One name that is not known does not hinder the others. */
        private StatusOr<List<EquivalentAddressGroup>> look() {
            List<EquivalentAddressGroup> groups = new ArrayList<>();
            UnknownHostException failure = null;
            for (String address : addresses) {
                InetSocketAddress named = parse(address);
                try {
                    for (InetAddress host : InetAddress.getAllByName(named.getHostString())) {
                        groups.add(new EquivalentAddressGroup(new InetSocketAddress(host, named.getPort())));
                    }
                } catch (UnknownHostException unknown) {
                    failure = unknown;
                }
            }
            if (!groups.isEmpty()) return StatusOr.fromValue(groups);
            return StatusOr.fromStatus(Status.UNAVAILABLE
                    .withDescription("Name resolution failed: " + failure.getMessage())
                    .withCause(failure));
        }
    }
}
