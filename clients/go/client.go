package safefile

import (
	"context"
	"crypto/sha256"
	"iter"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"github.com/safefile/safefile/clients/go/safefilev1"
)

// Version is that of this package.
const Version = "0.1.0"

const (
	deadlineDefault = 30 * time.Second
	idleDefault     = 60 * time.Second
	chunkBytes      = 256 * 1024
	wholeBytesMax   = 64 * 1024 * 1024
	pageSizeDefault = 1_000
	// WriteFile, AppendFile, PatchFile and a whole transaction take this much content.
	dataBytesMax = 1024 * 1024
	// A page of 1,000 long paths fits; anything larger is not ours.
	messageBytesMax = 16 * 1024 * 1024
	// What the server may send before it is read. HTTP/2's own 64 KiB halves the speed.
	streamWindowBytes     = 1024 * 1024
	connectionWindowBytes = 4 * 1024 * 1024
	// A dead connection is noticed after the two together, also by streams that are only listened to.
	keepaliveEvery  = 30 * time.Second
	keepaliveAnswer = 15 * time.Second
	connectTimeout  = 20 * time.Second
)

// Client makes safe file changes over gRPC. It holds one connection and may be used by many goroutines at once.
type Client struct {
	// Locks holds paths over several calls. No change needs it: each locks for itself.
	Locks *Locks

	grpc     *grpc.ClientConn
	conn     *conn
	files    safefilev1.FileOpsServiceClient
	recovery safefilev1.RecoveryServiceClient
	volume   string
}

type clientSettings struct {
	volume      string
	deadline    time.Duration
	idle        time.Duration
	retry       RetryPolicy
	credentials credentials.TransportCredentials
	dial        []grpc.DialOption
}

// A ClientOption changes a client as it is made.
type ClientOption func(*clientSettings)

// WithVolume names the volume of all calls. The replica's only volume unless given.
func WithVolume(name string) ClientOption {
	return func(s *clientSettings) { s.volume = name }
}

// WithDeadline is how long a call may take whose context has no deadline, repeats included; the time given to wait
// for a lock is added. 30 s unless given.
func WithDeadline(limit time.Duration) ClientOption {
	return func(s *clientSettings) { s.deadline = limit }
}

// WithIdle is how long a stream of content may stand still. 60 s unless given.
func WithIdle(limit time.Duration) ClientOption {
	return func(s *clientSettings) { s.idle = limit }
}

// WithRetry changes how often a call that is UNAVAILABLE is repeated.
func WithRetry(policy RetryPolicy) ClientOption {
	return func(s *clientSettings) { s.retry = policy }
}

// WithCredentials encrypts the connection. Plain text unless given: the service listens on loopback only until it can
// authenticate callers.
func WithCredentials(found credentials.TransportCredentials) ClientOption {
	return func(s *clientSettings) { s.credentials = found }
}

// WithDialOptions adds options of gRPC, such as interceptors and stats handlers.
func WithDialOptions(options ...grpc.DialOption) ClientOption {
	return func(s *clientSettings) { s.dial = append(s.dial, options...) }
}

// New makes a client of the service at address: host:port, or several separated by commas, of which the first that
// answers is used, and the next when it is gone. It connects when the first call is made.
func New(address string, options ...ClientOption) (*Client, error) {
	settings := clientSettings{deadline: deadlineDefault, idle: idleDefault, credentials: insecure.NewCredentials()}
	for _, option := range options {
		option(&settings)
	}
	found, err := parseAddresses(address)
	if err != nil {
		return nil, err
	}
	retry := settings.retry.withDefaults()
	connection, err := grpc.NewClient(addressScheme+":///"+found[0], append([]grpc.DialOption{
		grpc.WithResolvers(found),
		grpc.WithTransportCredentials(settings.credentials),
		grpc.WithUserAgent("safefile-go/" + Version),
		grpc.WithChainUnaryInterceptor(traceUnary),
		grpc.WithChainStreamInterceptor(traceStream),
		grpc.WithStatsHandler(sentHandler{}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(messageBytesMax)),
		grpc.WithInitialWindowSize(streamWindowBytes),
		grpc.WithInitialConnWindowSize(connectionWindowBytes),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: keepaliveEvery, Timeout: keepaliveAnswer}),
		// Repeats are made above, where request ids and outcomes are known.
		grpc.WithDisableRetry(),
		grpc.WithDisableServiceConfig(),
		// Without limits as small as these, a server that was restarted would stay UNAVAILABLE for long.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: backoff.Config{
				BaseDelay: retry.BackoffMin, Multiplier: 2, Jitter: 0.2, MaxDelay: max(retry.BackoffMin, retry.BackoffMax),
			},
			MinConnectTimeout: connectTimeout,
		}),
	}, settings.dial...)...)
	if err != nil {
		return nil, err
	}
	shared := &conn{grpc: connection, retry: retry, deadline: settings.deadline, idle: settings.idle}
	client := &Client{
		grpc:     connection,
		conn:     shared,
		files:    safefilev1.NewFileOpsServiceClient(shared),
		recovery: safefilev1.NewRecoveryServiceClient(shared),
		volume:   settings.volume,
	}
	client.Locks = &Locks{client: client, stub: safefilev1.NewLockServiceClient(shared)}
	return client, nil
}

// Close ends the connection, and what is under way.
func (c *Client) Close() error { return c.grpc.Close() }

// Conn is for all that has no method here: safefilev1.NewAdminServiceClient(client.Conn()). Unary calls have the same
// deadline, repeats and errors, and a change that has no request id gets one. Streams have the same errors.
func (c *Client) Conn() grpc.ClientConnInterface { return c.conn }

// Stat says what is at a path now. Empty is the root.
func (c *Client) Stat(ctx context.Context, path string, options ...CallOption) (*safefilev1.FileInfo, error) {
	s := settingsOf(c, options)
	answer, err := c.files.StatFile(ctx, &safefilev1.StatFileRequest{Volume: s.volume, Path: path})
	if err != nil {
		return nil, err
	}
	return answer.GetFile(), nil
}

// List gives the entries of a directory, sorted, over all pages.
func (c *Client) List(
	ctx context.Context, path string, options ...ListOption,
) iter.Seq2[*safefilev1.FileInfo, error] {
	s := settingsOf(c, options)
	return pages(func(token string) ([]*safefilev1.FileInfo, string, error) {
		answer, err := c.files.ListFiles(ctx, &safefilev1.ListFilesRequest{
			Volume: s.volume, Path: path, Recursive: s.recursive, PageSize: s.pageSize, PageToken: token,
		})
		return answer.GetFiles(), answer.GetNextPageToken(), err
	})
}

// Write creates or replaces a file. More than 1 MiB travels as an upload.
func (c *Client) Write(
	ctx context.Context, path string, data []byte, options ...WriteOption,
) (*safefilev1.MutationResult, error) {
	s := settingsOf(c, options)
	sum := sha256.Sum256(data)
	if len(data) > dataBytesMax {
		return c.upload(ctx, path, inMemory(data), s)
	}
	request := &safefilev1.WriteFileRequest{
		Volume: s.volume, Path: path, Options: s.mutation(), Data: data, Mode: s.mode, Sha256: sum[:],
	}
	answer, err := c.files.WriteFile(ctx, request)
	return resultOf(answer, err, s)
}

// Remove deletes a file. Its content stays as the revision that the result calls BackupRevision.
func (c *Client) Remove(
	ctx context.Context, path string, options ...RemoveOption,
) (*safefilev1.MutationResult, error) {
	s := settingsOf(c, options)
	request := &safefilev1.DeleteFileRequest{
		Volume: s.volume, Path: path, Options: s.mutation(), Recursive: s.recursive,
	}
	answer, err := c.files.DeleteFile(ctx, request)
	return resultOf(answer, err, s)
}

// Watch gives the changes of a file or tree as they are committed, in order per path, until ctx ends. The first
// message comes at once: whatever is committed after it is seen. Goes on by itself after a break.
func (c *Client) Watch(
	ctx context.Context, path string, options ...WatchOption,
) iter.Seq2[*safefilev1.WatchFilesResponse, error] {
	s := settingsOf(c, options)
	start := func(
		ctx context.Context, token string,
	) (grpc.ServerStreamingClient[safefilev1.WatchFilesResponse], error) {
		return c.files.WatchFiles(ctx, &safefilev1.WatchFilesRequest{
			Volume: s.volume, Path: path, Recursive: s.recursive, ResumeToken: token,
		})
	}
	return follow(ctx, c.conn, s.resumeToken, start, (*safefilev1.WatchFilesResponse).GetResumeToken)
}

// withResult is an answer to a change.
type withResult interface {
	GetResult() *safefilev1.MutationResult
}

// resultOf is what every answer to a change has.
func resultOf(answer withResult, err error, s *settings) (*safefilev1.MutationResult, error) {
	if err != nil {
		return nil, err
	}
	if result := answer.GetResult(); result != nil {
		return result, nil
	}
	return nil, lacking("the result", s.requestID)
}
