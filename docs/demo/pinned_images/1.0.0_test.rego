package gradate.pinned_images_test

import data.gradate.pinned_images
import rego.v1

review(image) := {"request": {"object": {"spec": {"containers": [{"name": "app", "image": image}]}}}}

test_latest_is_denied if {
	every image in ["api", "api:latest", "example.com:5000/api"] {
		count(pinned_images.deny) == 1 with input as review(image)
	}
}

test_a_release_or_a_digest_is_allowed if {
	every image in ["api:2.14.0", "api:v3", "example.com:5000/api:1.0", "api@sha256:9f86d081884c7d65"] {
		count(pinned_images.deny) == 0 with input as review(image)
	}
}
