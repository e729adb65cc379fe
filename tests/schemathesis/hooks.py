"""Who asks: Alice's browser, from a page of accounts.magento.cloud; on the routes for servers, one that signs (AWS Signature Version 4)."""

import os

import schemathesis
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from requests.auth import AuthBase

CALLER = Credentials(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
FOR_SERVERS = ("/accounts/", "/tickets/")


class Caller(AuthBase):
    def __call__(self, request):
        if not any(part in request.path_url for part in FOR_SERVERS):
            request.headers["Cookie"] = os.environ["SESSION"]
            request.headers["Sec-Fetch-Site"] = "same-origin"
            return request
        # The gateway goes by the name that it is called by, not by the address.
        named = {"Host": os.environ["HOST"], "Content-Type": request.headers.get("Content-Type", "application/json")}
        url = f"http://{os.environ['HOST']}{request.path_url}"
        signed = AWSRequest(request.method, url, headers=named, data=request.body or b"")
        SigV4Auth(CALLER, "execute-api", os.environ["AWS_REGION"]).add_auth(signed)
        request.headers.update(dict(signed.headers))
        return request


schemathesis.auth.set_from_requests(Caller())
