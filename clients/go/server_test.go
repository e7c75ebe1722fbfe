package safefile

import (
	"context"
	"net"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/protoadapt"

	"github.com/safefile/safefile/clients/go/safefilev1"
)

// script is a server in this process that answers as a test says.
type script struct {
	safefilev1.UnimplementedFileOpsServiceServer
	safefilev1.UnimplementedLockServiceServer

	write   func(context.Context, *safefilev1.WriteFileRequest) (*safefilev1.WriteFileResponse, error)
	upload  func(grpc.ClientStreamingServer[safefilev1.UploadFileRequest, safefilev1.UploadFileResponse]) error
	read    func(*safefilev1.ReadFileRequest, grpc.ServerStreamingServer[safefilev1.ReadFileResponse]) error
	watch   func(*safefilev1.WatchFilesRequest, grpc.ServerStreamingServer[safefilev1.WatchFilesResponse]) error
	acquire func(*safefilev1.AcquireLockRequest) (*safefilev1.AcquireLockResponse, error)
	renew   func(*safefilev1.RenewLockRequest) (*safefilev1.RenewLockResponse, error)
	release func(*safefilev1.ReleaseLockRequest) (*safefilev1.ReleaseLockResponse, error)
}

func (s *script) WriteFile(
	ctx context.Context, request *safefilev1.WriteFileRequest,
) (*safefilev1.WriteFileResponse, error) {
	return s.write(ctx, request)
}

func (s *script) UploadFile(
	stream grpc.ClientStreamingServer[safefilev1.UploadFileRequest, safefilev1.UploadFileResponse],
) error {
	return s.upload(stream)
}

func (s *script) ReadFile(
	request *safefilev1.ReadFileRequest, stream grpc.ServerStreamingServer[safefilev1.ReadFileResponse],
) error {
	return s.read(request, stream)
}

func (s *script) WatchFiles(
	request *safefilev1.WatchFilesRequest, stream grpc.ServerStreamingServer[safefilev1.WatchFilesResponse],
) error {
	return s.watch(request, stream)
}

func (s *script) AcquireLock(
	_ context.Context, request *safefilev1.AcquireLockRequest,
) (*safefilev1.AcquireLockResponse, error) {
	return s.acquire(request)
}

func (s *script) RenewLock(
	_ context.Context, request *safefilev1.RenewLockRequest,
) (*safefilev1.RenewLockResponse, error) {
	return s.renew(request)
}

func (s *script) ReleaseLock(
	_ context.Context, request *safefilev1.ReleaseLockRequest,
) (*safefilev1.ReleaseLockResponse, error) {
	return s.release(request)
}

// client serves the script and connects to it. Pauses between repeats are short.
func (s *script) client(t *testing.T, options ...ClientOption) *Client {
	t.Helper()
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer(grpc.MaxRecvMsgSize(4 << 20))
	safefilev1.RegisterFileOpsServiceServer(server, s)
	safefilev1.RegisterLockServiceServer(server, s)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	dial := func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }
	client, err := New("script:1", append([]ClientOption{
		WithDialOptions(grpc.WithContextDialer(dial)),
		WithRetry(RetryPolicy{BackoffMin: 1, BackoffMax: 1}),
	}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// failure is an error as the service sends it.
func failure(code codes.Code, reason string, metadata map[string]string, more ...protoadapt.MessageV1) error {
	info := &errdetails.ErrorInfo{Domain: "safefile", Reason: reason, Metadata: metadata}
	found, err := status.New(code, "what happened").WithDetails(append([]protoadapt.MessageV1{info}, more...)...)
	if err != nil {
		panic(err)
	}
	return found.Err()
}

func written(request *safefilev1.WriteFileRequest) *safefilev1.WriteFileResponse {
	return &safefilev1.WriteFileResponse{Result: &safefilev1.MutationResult{
		RequestId: request.GetOptions().GetRequestId(),
	}}
}
