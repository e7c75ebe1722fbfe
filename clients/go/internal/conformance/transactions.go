package main

import (
	"fmt"

	safefile "github.com/safefile/safefile/clients/go"
)

// stepArgs are those of all steps; one that its action does not have is ignored.
type stepArgs struct {
	conditionArgs
	targetArgs
	attributeArgs
	Action   string     `json:"action"`
	Path     string     `json:"path"`
	Content  *content   `json:"content"`
	Mode     *uint32    `json:"mode"`
	Edits    []editArgs `json:"edits"`
	Revision integer    `json:"revision"`
}

func transaction(c *call) (any, error) {
	var args struct {
		changeArgs
		Steps []stepArgs `json:"steps"`
	}
	if err := c.decode(&args); err != nil {
		return nil, err
	}
	var tx safefile.Transaction
	for _, step := range args.Steps {
		if err := step.addTo(&tx); err != nil {
			return nil, err
		}
	}
	var with options[safefile.TransactionOption]
	with.change(args.changeArgs)
	if with.err != nil {
		return nil, with.err
	}
	ctx, cancel := args.context()
	defer cancel()
	found, err := c.client.Transaction(ctx, &tx, with.list...)
	if err != nil {
		return nil, err
	}
	return object{"result": canonical(found.Result), "items": canonicals(found.Items)}, nil
}

func (s *stepArgs) addTo(tx *safefile.Transaction) error {
	switch s.Action {
	case "write":
		data, err := s.Content.bytes()
		if err != nil {
			return err
		}
		var with options[safefile.WriteOption]
		with.condition(s.conditionArgs)
		with.mode(s.Mode)
		tx.Write(s.Path, data, with.list...)
	case "append":
		data, err := s.Content.bytes()
		if err != nil {
			return err
		}
		tx.Append(s.Path, data, s.conditions()...)
	case "patch":
		edits, err := editsOf(s.Edits)
		if err != nil {
			return err
		}
		var with options[safefile.PatchOption]
		with.condition(s.conditionArgs)
		tx.Patch(s.Path, edits, with.list...)
	case "remove":
		tx.Remove(s.Path, s.conditions()...)
	case "move":
		var with options[safefile.MoveOption]
		with.condition(s.conditionArgs)
		with.target(s.targetArgs)
		tx.Move(s.Path, s.Target, with.list...)
	case "copy":
		var with options[safefile.CopyOption]
		with.condition(s.conditionArgs)
		with.target(s.targetArgs)
		with.add(safefile.FromRevision(int64(s.Revision)))
		tx.Copy(s.Path, s.Target, with.list...)
	case "rollback":
		tx.Rollback(s.Path, int64(s.Revision), s.conditions()...)
	case "attributes":
		var with options[safefile.AttributesOption]
		with.condition(s.conditionArgs)
		with.mode(s.Mode)
		with.attributes(s.attributeArgs)
		tx.SetAttributes(s.Path, with.list...)
	case "check":
		var with options[safefile.ConditionOption]
		with.condition(s.conditionArgs)
		tx.Check(s.Path, with.list...)
	default:
		return fmt.Errorf("the driver does not know the action %q", s.Action)
	}
	return nil
}

func (s *stepArgs) conditions() []safefile.ChangeOption {
	var with options[safefile.ChangeOption]
	with.condition(s.conditionArgs)
	return with.list
}
