package dev.safefile.client;

import dev.safefile.v1.FileInfo;
import dev.safefile.v1.Revision;
import java.util.Optional;

/**
 * A content that was read at once.
 *
 * @param bytes all of it, or the part that was asked for
 * @param file the live file as it was when read; empty when a stored revision was read
 * @param revision the stored revision; empty when the live file was read
 */
public record Content(byte[] bytes, Optional<FileInfo> file, Optional<Revision> revision) {}
