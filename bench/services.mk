# SPDX-License-Identifier: Apache-2.0
bench-services: all $(B)/bench/book $(B)/bench/load_store $(B)/bench/sms
	@python3 bench/services.py $(ARGS)
.PHONY: bench-services
