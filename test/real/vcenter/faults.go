package main

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// faultRule is one rule of a fault injector of the simulator: a matching call is answered with the fault and not carried out.
type faultRule struct {
	// Method is a SOAP method, e.g. PowerOnVM_Task; empty is every method. So are ObjectType and ObjectName.
	Method     string `json:"method"`
	ObjectType string `json:"object_type"`
	ObjectName string `json:"object_name"`
	// Where are conditions like "runtime.powerState == poweredOn" that all hold for the object.
	Where []string `json:"where"`
	// Fault is the name of a vSphere fault type, e.g. ResourceInUse.
	Fault   string `json:"fault"`
	Message string `json:"message"`
	// Probability from 0 to 1; nil is 1.
	Probability *float64 `json:"probability"`
	DelayMs     int      `json:"delay_ms"`
	// LateMs lets the call be accepted: the task that it answers ends with the fault after so long, and nothing was done.
	LateMs int `json:"late_ms"`
	// Max is how often the rule applies (0: always), Skip how many matching calls pass before.
	Max  int `json:"max"`
	Skip int `json:"skip"`
}

func (r faultRule) rule() (rule *simulator.FaultInjectionRule, err error) {
	defer func() {
		if problem := recover(); problem != nil {
			err = fmt.Errorf("where: %v", problem)
		}
	}()
	if r.LateMs > 0 && !slices.Contains(lateMethods, r.Method) {
		return nil, fmt.Errorf("late_ms: method is one of %s, not %q", strings.Join(lateMethods, ", "), r.Method)
	}
	fault, err := namedFault(r.Fault)
	if err != nil {
		return nil, err
	}
	orAll := func(text string) string {
		if text == "" {
			return "*"
		}
		return text
	}
	rule = &simulator.FaultInjectionRule{
		MethodName:  orAll(r.Method),
		ObjectType:  orAll(r.ObjectType),
		ObjectName:  orAll(r.ObjectName),
		Probability: 1,
		FaultType:   simulator.FaultTypeCustom,
		Fault:       fault,
		Message:     r.Message,
		Delay:       r.DelayMs + r.LateMs,
		MaxCount:    r.Max,
		SkipCount:   r.Skip,
		Enabled:     true,
	}
	if r.Probability != nil {
		rule.Probability = *r.Probability
	}
	if len(r.Where) > 0 {
		rule.InclusionPropertyFilter = simulator.FaultFilterAll(r.Where...)
	}
	return rule, nil
}

var faultTypes = types.TypeFunc()

func namedFault(name string) (types.BaseMethodFault, error) {
	kind, ok := faultTypes(name)
	if ok {
		if fault, ok := reflect.New(kind).Interface().(types.BaseMethodFault); ok {
			return fault, nil
		}
	}
	return nil, fmt.Errorf("%q is not a vSphere fault", name)
}
