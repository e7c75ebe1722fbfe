package dev.safefile.client;

import dev.safefile.v1.ContentChunk;
import dev.safefile.v1.ContentHeader;
import dev.safefile.v1.ContentTrailer;
import dev.safefile.v1.ReadFileResponse;
import dev.safefile.v1.ReadRevisionResponse;

/** A message of ReadFile or ReadRevision: one of the three is set, the others are null. */
record ContentPart(ContentHeader header, ContentChunk chunk, ContentTrailer trailer) {
    static ContentPart of(ReadFileResponse message) {
        if (message == null) return null;
        return new ContentPart(
                message.hasHeader() ? message.getHeader() : null,
                message.hasChunk() ? message.getChunk() : null,
                message.hasTrailer() ? message.getTrailer() : null);
    }

    static ContentPart of(ReadRevisionResponse message) {
        if (message == null) return null;
        return new ContentPart(
                message.hasHeader() ? message.getHeader() : null,
                message.hasChunk() ? message.getChunk() : null,
                message.hasTrailer() ? message.getTrailer() : null);
    }
}
