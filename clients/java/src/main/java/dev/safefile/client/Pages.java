package dev.safefile.client;

import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.function.Function;

/** The entries of all pages, one after the other; a page is asked for when the one before was used up. */
final class Pages<P, E> implements Iterable<E> {
    private final Function<String, P> ask;
    private final Function<P, List<E>> entriesOf;
    private final Function<P, String> nextOf;

    Pages(Function<String, P> ask, Function<P, List<E>> entriesOf, Function<P, String> nextOf) {
        this.ask = ask;
        this.entriesOf = entriesOf;
        this.nextOf = nextOf;
    }

    @Override
    public Iterator<E> iterator() {
        return new Iterator<>() {
            private Iterator<E> page = List.<E>of().iterator();
            /** Null after the last page. */
            private String token = "";

            @Override
            public boolean hasNext() {
                while (!page.hasNext() && token != null) {
                    P answer = ask.apply(token);
                    page = entriesOf.apply(answer).iterator();
                    token = nextOf.apply(answer).isEmpty() ? null : nextOf.apply(answer);
                }
                return page.hasNext();
            }

            @Override
            public E next() {
                if (!hasNext()) throw new NoSuchElementException("there are no more entries");
                return page.next();
            }
        };
    }
}
