package connpooltest

import "reflect"

// same reports whether two connections are one. Values that have no identity,
// such as strings, are never the same.
func same(a, b any) bool {
	v, w := reflect.ValueOf(a), reflect.ValueOf(b)
	if !v.IsValid() || !w.IsValid() || v.Type() != w.Type() {
		return false
	}
	switch kind := v.Kind(); {
	case kind == reflect.Pointer:
		return v.Pointer() == w.Pointer() && v.Type().Elem().Size() > 0 // all that is empty may lie at one place
	case kind == reflect.Map, kind == reflect.Chan, kind == reflect.UnsafePointer:
		return v.Pointer() == w.Pointer()
	case kind >= reflect.Int && kind <= reflect.Uintptr:
		return v.Equal(w) // a handle of the system's
	case kind == reflect.Struct:
		return sameStruct(v, w)
	}
	return false
}

// sameStruct takes structs for one if something in them that has an identity is.
func sameStruct(v, w reflect.Value) bool {
	if !v.Comparable() || !v.Equal(w) {
		return false
	}
	for i := range v.NumField() {
		switch v.Field(i).Kind() {
		case reflect.Pointer, reflect.Chan, reflect.Interface, reflect.UnsafePointer:
			if !v.Field(i).IsZero() {
				return true
			}
		}
	}
	return false
}

// isNil reports whether a connection is nil; what cannot be, is not.
func isNil(conn any) bool {
	return conn == nil || canBeNil(conn) && reflect.ValueOf(conn).IsNil()
}

func canBeNil(conn any) bool {
	switch reflect.ValueOf(conn).Kind() {
	case reflect.Pointer, reflect.Map, reflect.Chan, reflect.Func, reflect.Slice, reflect.UnsafePointer:
		return true
	}
	return false
}
