// Package safefile is the client of Safefile, the service that makes changes to files on a shared volume safe: each
// change is validated, locked across the cluster, backed up, staged, verified and published atomically.
//
//	client, err := safefile.New("127.0.0.1:7420")
//	if err != nil {
//		return err
//	}
//	defer client.Close()
//	result, err := client.Write(ctx, "conf/app.json", data, safefile.Label("by", "deploy"))
//
// A context's deadline and cancellation end a call. Without a deadline a call ends after 30 s, repeats included; a
// stream of content ends when nothing moves for 60 s. Calls are repeated while the service is UNAVAILABLE, with the
// same request id, so that nothing is done twice.
//
// What fails is an [*Error], found with [errors.As], that says what became of the file; [IsReason] asks for one
// reason. Messages are those of package safefilev1. What has no method here is called by the generated stubs over
// [Client.Conn].
package safefile
