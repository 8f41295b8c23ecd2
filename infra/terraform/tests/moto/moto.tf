variable "moto" {
  description = "URL of moto's server, for example http://127.0.0.1:5000."
  type        = string
}
