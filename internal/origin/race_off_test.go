//go:build !race

package origin

const racing = false
