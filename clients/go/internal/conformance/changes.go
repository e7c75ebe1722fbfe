package main

import (
	"fmt"
	"time"

	safefile "github.com/safefile/safefile/clients/go"
	"github.com/safefile/safefile/clients/go/safefilev1"
)

// conditionArgs are those of every change and of every step.
type conditionArgs struct {
	Etag       *string  `json:"etag"`
	IfRevision *integer `json:"ifRevision"`
}

// changeArgs are those of every change.
type changeArgs struct {
	callArgs
	conditionArgs
	RequestID    *string           `json:"requestId"`
	ValidateOnly bool              `json:"validateOnly"`
	LockWaitMs   *milliseconds     `json:"lockWaitMs"`
	Priority     *int32            `json:"priority"`
	Labels       map[string]string `json:"labels"`
	LockID       *string           `json:"lockId"`
}

// options collects options of one family.
type options[O any] struct {
	list []O
	err  error
}

func (o *options[O]) add(given any) {
	if typed, ok := given.(O); ok {
		o.list = append(o.list, typed)
	} else if o.err == nil {
		o.err = fmt.Errorf("%T is no option of this verb", given)
	}
}

func (o *options[O]) condition(a conditionArgs) {
	if a.Etag != nil {
		o.add(safefile.IfETag(*a.Etag))
	}
	if a.IfRevision != nil {
		o.add(safefile.IfRevision(int64(*a.IfRevision)))
	}
}

func (o *options[O]) change(a changeArgs) {
	o.condition(a.conditionArgs)
	if a.RequestID != nil {
		o.add(safefile.RequestID(*a.RequestID))
	}
	if a.ValidateOnly {
		o.add(safefile.ValidateOnly())
	}
	if a.LockWaitMs != nil {
		o.add(safefile.LockWait(a.LockWaitMs.duration()))
	}
	if a.Priority != nil {
		o.add(safefile.Priority(*a.Priority))
	}
	if len(a.Labels) > 0 {
		o.add(safefile.Labels(a.Labels))
	}
	if a.LockID != nil {
		o.add(safefile.UnderLock(*a.LockID))
	}
}

func (o *options[O]) mode(mode *uint32) {
	if mode != nil {
		o.add(safefile.Mode(*mode))
	}
}

// targetArgs are those of moves and copies.
type targetArgs struct {
	Target           string   `json:"target"`
	Overwrite        bool     `json:"overwrite"`
	TargetIfRevision *integer `json:"targetIfRevision"`
	TargetEtag       *string  `json:"targetEtag"`
}

func (o *options[O]) target(a targetArgs) {
	if a.Overwrite {
		o.add(safefile.Overwrite())
	}
	if a.TargetIfRevision != nil {
		o.add(safefile.TargetIfRevision(int64(*a.TargetIfRevision)))
	}
	if a.TargetEtag != nil {
		o.add(safefile.TargetIfETag(*a.TargetEtag))
	}
}

// attributeArgs are those of setAttributes but the mode.
type attributeArgs struct {
	UpdateTime   *time.Time        `json:"updateTime"`
	SetXattrs    map[string]string `json:"setXattrs"`
	RemoveXattrs []string          `json:"removeXattrs"`
}

func (o *options[O]) attributes(a attributeArgs) {
	if a.UpdateTime != nil {
		o.add(safefile.UpdateTime(*a.UpdateTime))
	}
	for name, value := range a.SetXattrs {
		o.add(safefile.SetXattr(name, []byte(value)))
	}
	if len(a.RemoveXattrs) > 0 {
		o.add(safefile.RemoveXattr(a.RemoveXattrs...))
	}
}

type editArgs struct {
	Offset  integer  `json:"offset"`
	Length  integer  `json:"length"`
	Content *content `json:"content"`
}

func editsOf(args []editArgs) ([]safefile.Edit, error) {
	var found []safefile.Edit
	for _, arg := range args {
		edit := safefile.Edit{Offset: int64(arg.Offset), Length: int64(arg.Length)}
		if arg.Content != nil {
			data, err := arg.Content.bytes()
			if err != nil {
				return nil, err
			}
			edit.Data = data
		}
		found = append(found, edit)
	}
	return found, nil
}

// result is the value of most changes.
func result(found *safefilev1.MutationResult, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return object{"result": canonical(found)}, nil
}

func write(c *call) (any, error) {
	var args struct {
		changeArgs
		Path    string   `json:"path"`
		Content *content `json:"content"`
		Mode    *uint32  `json:"mode"`
	}
	if err := c.decode(&args); err != nil {
		return nil, err
	}
	data, err := args.Content.bytes()
	if err != nil {
		return nil, err
	}
	var with options[safefile.WriteOption]
	with.change(args.changeArgs)
	with.mode(args.Mode)
	ctx, cancel := args.context()
	defer cancel()
	return result(c.client.Write(ctx, args.Path, data, with.list...))
}

func appendBytes(c *call) (any, error) {
	var args struct {
		changeArgs
		Path    string   `json:"path"`
		Content *content `json:"content"`
		Mode    *uint32  `json:"mode"`
	}
	if err := c.decode(&args); err != nil {
		return nil, err
	}
	data, err := args.Content.bytes()
	if err != nil {
		return nil, err
	}
	var with options[safefile.WriteOption]
	with.change(args.changeArgs)
	with.mode(args.Mode)
	ctx, cancel := args.context()
	defer cancel()
	found, err := c.client.Append(ctx, args.Path, data, with.list...)
	if err != nil {
		return nil, err
	}
	return object{"result": canonical(found.Result), "offset": found.Offset}, nil
}

func patch(c *call) (any, error) {
	var args struct {
		changeArgs
		Path  string     `json:"path"`
		Edits []editArgs `json:"edits"`
	}
	if err := c.decode(&args); err != nil {
		return nil, err
	}
	edits, err := editsOf(args.Edits)
	if err != nil {
		return nil, err
	}
	var with options[safefile.PatchOption]
	with.change(args.changeArgs)
	ctx, cancel := args.context()
	defer cancel()
	return result(c.client.Patch(ctx, args.Path, edits, with.list...))
}

func setAttributes(c *call) (any, error) {
	var args struct {
		changeArgs
		attributeArgs
		Path string  `json:"path"`
		Mode *uint32 `json:"mode"`
	}
	if err := c.decode(&args); err != nil {
		return nil, err
	}
	var with options[safefile.AttributesOption]
	with.change(args.changeArgs)
	with.mode(args.Mode)
	with.attributes(args.attributeArgs)
	ctx, cancel := args.context()
	defer cancel()
	return result(c.client.SetAttributes(ctx, args.Path, with.list...))
}

func move(c *call) (any, error) {
	var args struct {
		changeArgs
		targetArgs
		Path string `json:"path"`
	}
	if err := c.decode(&args); err != nil {
		return nil, err
	}
	var with options[safefile.MoveOption]
	with.change(args.changeArgs)
	with.target(args.targetArgs)
	ctx, cancel := args.context()
	defer cancel()
	found, err := c.client.Move(ctx, args.Path, args.Target, with.list...)
	if err != nil {
		return nil, err
	}
	return object{"result": canonical(found.Result), "sourceRevision": canonical(found.SourceRevision)}, nil
}

func copyFile(c *call) (any, error) {
	var args struct {
		changeArgs
		targetArgs
		Path     string  `json:"path"`
		Revision integer `json:"revision"`
	}
	if err := c.decode(&args); err != nil {
		return nil, err
	}
	var with options[safefile.CopyOption]
	with.change(args.changeArgs)
	with.target(args.targetArgs)
	with.add(safefile.FromRevision(int64(args.Revision)))
	ctx, cancel := args.context()
	defer cancel()
	return result(c.client.Copy(ctx, args.Path, args.Target, with.list...))
}

func makeDirectory(c *call) (any, error) {
	var args struct {
		changeArgs
		Path          string  `json:"path"`
		Mode          *uint32 `json:"mode"`
		AllowExisting bool    `json:"allowExisting"`
	}
	if err := c.decode(&args); err != nil {
		return nil, err
	}
	var with options[safefile.MakeDirectoryOption]
	with.change(args.changeArgs)
	with.mode(args.Mode)
	if args.AllowExisting {
		with.add(safefile.AllowExisting())
	}
	ctx, cancel := args.context()
	defer cancel()
	return result(c.client.MakeDirectory(ctx, args.Path, with.list...))
}

func remove(c *call) (any, error) {
	var args struct {
		changeArgs
		Path      string `json:"path"`
		Recursive bool   `json:"recursive"`
	}
	if err := c.decode(&args); err != nil {
		return nil, err
	}
	var with options[safefile.RemoveOption]
	with.change(args.changeArgs)
	if args.Recursive {
		with.add(safefile.Recursive())
	}
	ctx, cancel := args.context()
	defer cancel()
	return result(c.client.Remove(ctx, args.Path, with.list...))
}

func rollback(c *call) (any, error) {
	var args struct {
		changeArgs
		Path     string  `json:"path"`
		Revision integer `json:"revision"`
	}
	if err := c.decode(&args); err != nil {
		return nil, err
	}
	var with options[safefile.ChangeOption]
	with.change(args.changeArgs)
	ctx, cancel := args.context()
	defer cancel()
	return result(c.client.Rollback(ctx, args.Path, int64(args.Revision), with.list...))
}
