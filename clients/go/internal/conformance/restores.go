package main

import (
	"errors"
	"fmt"
	"time"

	safefile "github.com/safefile/safefile/clients/go"
)

func startRestore(c *call) (any, error) {
	var args struct {
		callArgs
		Path          string            `json:"path"`
		Tree          bool              `json:"tree"`
		AsOfTime      *time.Time        `json:"asOfTime"`
		AsOfOperation *string           `json:"asOfOperation"`
		Overwrite     string            `json:"overwrite"`
		Include       []string          `json:"include"`
		Exclude       []string          `json:"exclude"`
		DeleteExtra   bool              `json:"deleteExtra"`
		TargetPath    string            `json:"targetPath"`
		DryRun        bool              `json:"dryRun"`
		RequestID     *string           `json:"requestId"`
		Priority      *int32            `json:"priority"`
		Labels        map[string]string `json:"labels"`
	}
	if err := c.decode(&args); err != nil {
		return nil, err
	}
	var with options[safefile.RestoreOption]
	if args.Tree {
		with.add(safefile.Tree())
	}
	switch args.Overwrite {
	case "", "always":
	case "never":
		with.add(safefile.KeepExisting())
	default:
		return nil, fmt.Errorf("the driver does not know overwrite %q", args.Overwrite)
	}
	with.add(safefile.Include(args.Include...))
	with.add(safefile.Exclude(args.Exclude...))
	if args.DeleteExtra {
		with.add(safefile.DeleteExtra())
	}
	with.add(safefile.ToPath(args.TargetPath))
	if args.DryRun {
		with.add(safefile.DryRun())
	}
	if args.RequestID != nil {
		with.add(safefile.RequestID(*args.RequestID))
	}
	if args.Priority != nil {
		with.add(safefile.Priority(*args.Priority))
	}
	with.add(safefile.Labels(args.Labels))
	var point safefile.Point
	switch {
	case args.AsOfTime != nil && args.AsOfOperation != nil:
		return nil, errors.New("a restore has one point")
	case args.AsOfTime != nil:
		point = safefile.AsOfTime(*args.AsOfTime)
	case args.AsOfOperation != nil:
		point = safefile.AsOfOperation(*args.AsOfOperation)
	}
	ctx, cancel := args.context()
	defer cancel()
	found, err := c.client.StartRestore(ctx, args.Path, point, with.list...)
	if err != nil {
		return nil, err
	}
	return object{"restoreId": found.GetRestoreId(), "restore": canonical(found.GetRestore())}, nil
}

func watchRestore(c *call) (any, error) {
	var args struct {
		callArgs
		RestoreID string `json:"restoreId"`
		Cursor    string `json:"cursor"`
	}
	if err := c.decode(&args); err != nil {
		return nil, err
	}
	ctx, cancel := args.context()
	defer cancel()
	found, err := all(c.client.WatchRestore(ctx, args.RestoreID, safefile.ResumeAfter(args.Cursor)))
	if err != nil {
		return nil, err
	}
	return object{"events": found}, nil
}
