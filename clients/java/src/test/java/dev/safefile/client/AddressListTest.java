package dev.safefile.client;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.net.URI;
import java.util.List;
import org.junit.jupiter.api.Test;

class AddressListTest {
    @Test
    void addressesOfIpv6ArePartOfATarget() {
        URI target = URI.create(AddressList.target(List.of("[::1]:7420", "10.0.0.1:7421")));
        assertEquals("/[::1]:7420,10.0.0.1:7421", target.getPath());
        SafefileClient.of("[::1]:7420").close();
    }
}
