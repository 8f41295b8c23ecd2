# A network of the functions' own, where asked for. One NAT gateway: when its zone fails, records wait in the stream.

data "aws_availability_zones" "available" {
  count = var.vpc ? 1 : 0

  state = "available"

  # No local zones, which lack NAT gateways.
  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

locals {
  # Two private subnets, and a public one for the gateway, a quarter of the range each.
  subnets = var.vpc ? cidrsubnets(var.vpc_cidr, 2, 2, 2) : []
  zones   = var.vpc ? slice(data.aws_availability_zones.available[0].names, 0, 2) : []
}

resource "aws_vpc" "this" {
  count = var.vpc ? 1 : 0

  cidr_block           = var.vpc_cidr
  enable_dns_support   = true
  enable_dns_hostnames = true
  tags                 = { Name = var.name }
}

# The one that AWS makes lets everything through; with no rules it lets nothing.
resource "aws_default_security_group" "none" {
  count = var.vpc ? 1 : 0

  vpc_id = aws_vpc.this[0].id
}

resource "aws_subnet" "private" {
  count = length(local.zones)

  vpc_id            = aws_vpc.this[0].id
  availability_zone = local.zones[count.index]
  cidr_block        = local.subnets[count.index]
  tags              = { Name = "${var.name}-private-${count.index + 1}" }

  # A zone that AWS adds must not move those that are there.
  lifecycle {
    ignore_changes = [availability_zone]
  }
}

resource "aws_subnet" "public" {
  count = var.vpc ? 1 : 0

  vpc_id            = aws_vpc.this[0].id
  availability_zone = local.zones[0]
  cidr_block        = local.subnets[2]
  tags              = { Name = "${var.name}-public" }

  lifecycle {
    ignore_changes = [availability_zone]
  }
}

resource "aws_internet_gateway" "this" {
  count = var.vpc ? 1 : 0

  vpc_id = aws_vpc.this[0].id
  tags   = { Name = var.name }
}

resource "aws_eip" "nat" {
  count = var.vpc ? 1 : 0

  domain = "vpc"
  tags   = { Name = "${var.name}-nat" }
}

resource "aws_nat_gateway" "this" {
  count = var.vpc ? 1 : 0

  allocation_id = aws_eip.nat[0].id
  subnet_id     = aws_subnet.public[0].id
  tags          = { Name = var.name }

  depends_on = [aws_internet_gateway.this]
}

resource "aws_route_table" "public" {
  count = var.vpc ? 1 : 0

  vpc_id = aws_vpc.this[0].id
  tags   = { Name = "${var.name}-public" }
}

resource "aws_route" "public" {
  count = var.vpc ? 1 : 0

  route_table_id         = aws_route_table.public[0].id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this[0].id
}

resource "aws_route_table_association" "public" {
  count = var.vpc ? 1 : 0

  subnet_id      = aws_subnet.public[0].id
  route_table_id = aws_route_table.public[0].id
}

resource "aws_route_table" "private" {
  count = var.vpc ? 1 : 0

  vpc_id = aws_vpc.this[0].id
  tags   = { Name = "${var.name}-private" }
}

resource "aws_route" "private" {
  count = var.vpc ? 1 : 0

  route_table_id         = aws_route_table.private[0].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.this[0].id
}

resource "aws_route_table_association" "private" {
  count = length(aws_subnet.private)

  subnet_id      = aws_subnet.private[count.index].id
  route_table_id = aws_route_table.private[0].id
}

# Objects go to S3 directly, and not through the gateway, which bills each GB. It costs nothing.
resource "aws_vpc_endpoint" "s3" {
  count = var.vpc ? 1 : 0

  vpc_id            = aws_vpc.this[0].id
  service_name      = "com.amazonaws.${var.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [aws_route_table.private[0].id]
  tags              = { Name = "${var.name}-s3" }
}

# Out by TLS, and nothing in.
resource "aws_security_group" "functions" {
  count = var.vpc ? 1 : 0

  name        = "${var.name}-functions"
  description = "Landfall's functions: out to AWS and Snowflake by TLS, nothing in"
  vpc_id      = aws_vpc.this[0].id
  tags        = { Name = "${var.name}-functions" }
}

resource "aws_vpc_security_group_egress_rule" "tls" {
  count = var.vpc ? 1 : 0

  security_group_id = aws_security_group.functions[0].id
  description       = "AWS and Snowflake"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = "0.0.0.0/0"
}
